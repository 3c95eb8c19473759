//! What can be wrong with a graph.

/// What a call of the builder or of an operator gives.
pub type Result<T> = std::result::Result<T, GraphError>;

/// Why a graph could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A node's inputs or attributes do not fit its operator.
    #[error("{op} node `{node}`: {reason}")]
    Node {
        /// The operator.
        op: &'static str,
        /// The name that the node would have had.
        node: String,
        /// What did not fit, and what is allowed.
        reason: String,
    },
    /// An input, an initializer or an output cannot be added.
    #[error("{0}")]
    Value(String),
    /// The finished graph is not well formed.
    #[error("{0}")]
    Graph(String),
}
