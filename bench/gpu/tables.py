"""The report's sections in Markdown."""

from statistics import median

from readings import CPU, CUDA


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(escaped(cell) for cell in line) + " |" for line in lines)


def escaped(cell):
    return str(cell).replace("|", "\\|").replace("\n", " ")


def device(gpus, facts):
    head = table(["GPU", "driver", "memory", "in use before"], gpus)
    return f"{head}\n\n" + "\n".join(f"- {fact}" for fact in facts)


def refusals(ended):
    rows = [(f"`{each.name}`", each.code, each.last_line()) for each in ended]
    return table(["program without a GPU", "exit code", "says"], rows)


class Speed:
    """A training on one device: samples a second, the median over its epochs."""

    def __init__(self, samples, seconds, ran):
        # `seconds` of each epoch; `ran`: of the whole program, loading included.
        self.samples, self.seconds, self.ran = samples, seconds, ran

    def rate(self):
        return self.samples / median(self.seconds) if self.seconds and self.samples else None

    def shown(self):
        if rate := self.rate():
            return f"{rate:,.0f} ({len(self.seconds)} epoch{'s'[: len(self.seconds) > 1]})"
        return f"no epoch in {self.ran:.0f} s"


def training(speeds, threads):
    """`speeds`: {network: {device: Speed}}."""
    rows = []
    for network, by_device in speeds.items():
        cuda, cpu = by_device.get("cuda"), by_device.get("cpu")
        rates = [speed.rate() if speed else None for speed in (cuda, cpu)]
        ratio = f"{rates[0] / rates[1]:.1f}" if all(rates) else ""
        samples = next((it.samples for it in (cuda, cpu) if it and it.samples), "")
        shown = [speed.shown() if speed else "not run" for speed in (cuda, cpu)]
        rows.append([network, samples, *shown, ratio])
    head = ["network", "samples an epoch", "CUDA/s", f"CPU/s, {threads} threads", "CUDA / CPU"]
    note = "Samples a second: an epoch's samples by its seconds, validation included, the median of epochs. "
    note += "Where no epoch ended, the seconds include loading the data."
    return f"{table(head, rows)}\n\n{note}"


def placement(models):
    rows, notes = [], []
    for model in models:
        agree = "agree" if model.refused is None else model.refused
        unexplained = [node for node, reason in model.on_cpu if reason is None]
        on_cpu = model.counts.get(CPU, 0)
        cuda = model.counts.get(CUDA, 0)
        rows.append([model.model, model.device, agree, cuda, on_cpu, len(unexplained)])
        notes += [
            f"- {model.model}: `{node}`: {reason or '**no reason recorded**'}"
            for node, reason in model.on_cpu
        ]
        if on_cpu and not model.on_cpu:
            notes.append(f"- {model.model}: **the whole graph is on the CPU**")
    head = ["model", "device", "golden samples", "nodes on CUDA", "on the CPU", "without a reason"]
    if not notes:
        notes = ["No node of a served graph is on the CPU."]
    return f"{table(head, rows)}\n\n" + "\n".join(notes)


def exits(ended):
    shown = []
    for each in ended:
        if each.timed_out:
            how = f"stopped after {each.seconds:.0f} s, then {each.code}"
        elif each.code is not None and each.code < 0:
            how = f"**signal {-each.code}**"
        else:
            how = str(each.code)
        shown.append([f"`{each.name}`", how, f"{each.seconds:.1f}"])
    return table(["program", "exit code", "seconds"], shown)


def failures(failed):
    if not failed:
        return "None."
    return "\n".join(f"- {name}: {reason}" for name, reason in failed)
