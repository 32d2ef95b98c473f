"""The statements, row by row."""

from adamlab.relations.relation import Relation

ROWS: tuple[Relation, ...] = (
    Relation(
        name="adam-to-rmsprop",
        row="1",
        statement="Adam with β₁ = 0 is RMSProp with bias correction and ε outside the root.",
        left="optax.adam(learning_rate, b1=0.0, b2=b2, eps=eps)",
        right="optax.rmsprop(learning_rate, decay=b2, eps=eps, eps_in_sqrt=false, bias_correction=true)",
        source="algebra",
        general="Adam",
        special="RMSProp",
        condition="β₁ = 0",
    ),
)
