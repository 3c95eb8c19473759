//! Attention, and which tokens it may see.

use quintet_onnx::{DataType, GraphBuilder, GraphError, Value, ops};
use tch::{Device, Kind, Tensor, nn};

use super::{Layer, Linear};

/// Which tokens of a batch of texts are there; what stands behind a text has no effect.
#[derive(Debug)]
pub struct Mask<T> {
    /// bool `[N, L]`.
    present: T,
    /// How many tokens each text has, int32 `[N, 1]`.
    lengths: T,
}

/// Multi-head self-attention (Vaswani et al. 2017) of texts `[N, L, hidden]`, with a dense layer
/// behind it.
#[derive(Debug)]
pub struct SelfAttention {
    name: String,
    heads: i64,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
}

/// Scaled dot-product attention of `[N, heads, L, features]` over the tokens that are `present`,
/// bool `[N, 1, 1, L]`, by libtorch's fused kernel where that is the fastest.
fn attend(query: &Tensor, key: &Tensor, value: &Tensor, present: &Tensor) -> Tensor {
    // On the CPU its bfloat16 kernel is slower than two matrix products and a softmax.
    if query.kind() == Kind::BFloat16 && query.device() == Device::Cpu {
        let scale = (query.size()[3] as f64).sqrt().recip();
        let scores = query.matmul(&key.transpose(-2, -1)) * scale;
        let scores = scores.masked_fill(&present.logical_not(), f64::NEG_INFINITY);
        return scores.softmax(-1, None).matmul(value);
    }
    // Attention dropout would keep libtorch from its fused kernel.
    let (dropout, is_causal, grouped) = (0.0, false, false);
    let present = Some(present);
    Tensor::scaled_dot_product_attention(
        query, key, value, present, dropout, is_causal, None, grouped,
    )
}

impl Mask<Tensor> {
    /// The first `lengths` tokens, int32 `[N]`, of each row of `tokens`, `[N, L]`.
    pub fn new(tokens: &Tensor, lengths: &Tensor) -> Self {
        let places = Tensor::arange(tokens.size()[1], (Kind::Int, tokens.device()));
        let lengths = lengths.unsqueeze(1);
        Self {
            present: places.unsqueeze(0).less_tensor(&lengths),
            lengths,
        }
    }

    /// The mean over each text, `[N, L, hidden]` → `[N, hidden]`.
    pub fn mean(&self, x: &Tensor) -> Tensor {
        let parts = self.present.to_kind(Kind::Float) / self.lengths.to_kind(Kind::Float);
        parts.unsqueeze(1).matmul(x).squeeze_dim(1)
    }
}

impl Mask<Value> {
    /// Writes [`Mask::new`].
    pub fn export(
        graph: &mut GraphBuilder,
        tokens: &Value,
        lengths: &Value,
    ) -> Result<Self, GraphError> {
        let places = ops::range(graph, tokens, 1)?;
        let places = ops::cast(graph, &places, DataType::Int32)?;
        let lengths = ops::unsqueeze(graph, lengths, &[1])?;
        Ok(Self {
            present: ops::less(graph, &places, &lengths)?,
            lengths,
        })
    }

    /// Writes [`Mask::mean`].
    pub fn export_mean(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        let present = ops::cast(graph, &self.present, DataType::Float32)?;
        let lengths = ops::cast(graph, &self.lengths, DataType::Float32)?;
        let parts = ops::div(graph, &present, &lengths)?;
        let parts = ops::unsqueeze(graph, &parts, &[1])?;
        let mean = ops::matmul(graph, &parts, x)?;
        ops::squeeze(graph, &mean, &[1])
    }

    /// What is added to attention's scores, float32 `[N, 1, 1, L]`: 0 for a token that is there,
    /// and else the least number, which leaves it no weight.
    pub fn export_scores(&self, graph: &mut GraphBuilder) -> Result<Value, GraphError> {
        let there = graph.initializer_f32("mask.there", &[], &[0.0])?;
        let absent = graph.initializer_f32("mask.absent", &[], &[f32::MIN])?;
        let scores = ops::where_(graph, &self.present, &there, &absent)?;
        ops::unsqueeze(graph, &scores, &[1, 2])
    }
}

impl SelfAttention {
    /// Fresh weights under `vs / name`, with BERT's names. `heads` divides `hidden`.
    pub fn new(vs: &nn::Path<'_>, name: &str, hidden: i64, heads: i64) -> Self {
        let linear = |part: &str| Linear::new(vs, &format!("{name}.{part}"), hidden, hidden);
        Self {
            name: name.to_owned(),
            heads,
            query: linear("self.query"),
            key: linear("self.key"),
            value: linear("self.value"),
            output: linear("output.dense"),
        }
    }

    /// Its dense layers compute in int8 from now on, see [`Linear::quantize`].
    pub fn quantize(&self) -> Result<(), GraphError> {
        let layers = [&self.query, &self.key, &self.value, &self.output];
        layers.into_iter().try_for_each(Linear::quantize)
    }

    /// `x` float32 `[N, L, hidden]` → the same shape.
    pub fn forward(&self, x: &Tensor, mask: &Mask<Tensor>) -> Tensor {
        let (rows, tokens, hidden) = x.size3().expect("embedded texts have three axes");
        let heads = |layer: &Linear| {
            let y = layer.forward_t(x, false);
            y.reshape([rows, tokens, self.heads, -1]).transpose(1, 2)
        };
        let [query, key, value] = [&self.query, &self.key, &self.value].map(heads);
        let present = mask.present.unsqueeze(1).unsqueeze(1);
        let y = attend(&query, &key, &value, &present);
        let y = y.transpose(1, 2).reshape([rows, tokens, hidden]);
        self.output.forward_t(&y, false)
    }

    /// Writes [`SelfAttention::forward`]; `scores` comes from [`Mask::export_scores`].
    pub fn export(
        &self,
        graph: &mut GraphBuilder,
        x: &Value,
        scores: &Value,
    ) -> Result<Value, GraphError> {
        let features = |x: &Value| x.shape().last().and_then(quintet_onnx::Dim::fixed);
        let (hidden, heads) = (features(x).unwrap_or_default() as i64, self.heads);
        let rows = self.query.export_rows(graph, x)?;
        let mut split = |layer: &Linear, order| {
            let y = layer.export_over(graph, &rows)?;
            let y = ops::reshape(graph, &y, &[0, 0, heads, hidden / heads])?;
            ops::transpose(graph, &y, order)
        };
        let query = split(&self.query, &[0, 2, 1, 3])?;
        let key = split(&self.key, &[0, 2, 3, 1])?;
        let value = split(&self.value, &[0, 2, 1, 3])?;
        let scale = ((hidden / heads) as f32).sqrt().recip();
        let scale = graph.initializer_f32(&format!("{}.scale", self.name), &[], &[scale])?;
        let y = ops::matmul(graph, &query, &key)?;
        let y = ops::mul(graph, &y, &scale)?;
        let y = ops::add(graph, &y, scores)?;
        let y = ops::softmax(graph, &y, -1)?;
        let y = ops::matmul(graph, &y, &value)?;
        let y = ops::transpose(graph, &y, &[0, 2, 1, 3])?;
        let y = ops::reshape(graph, &y, &[0, 0, hidden])?;
        self.output.export(graph, &y)
    }
}
