"""Runs every query of the dashboard and of the rules on a Prometheus.

An empty result is a failure, unless the panel's description says when it is empty. Of an alert only
the part before its threshold runs: both a quiet alert and one with a misspelt metric are empty.
"""

import json
import re
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent.parent
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "quintet.json"
RULES = [DEPLOY / "prometheus" / "rules.yml", DEPLOY / "prometheus" / "alerts.yml"]
# The comparison of an alert: `x > 0.01`, `x == 0`, `x < 14 * 86400`.
THRESHOLD = re.compile(r"\s(?:>|<|==|!=|>=|<=)\s[0-9.]+(?: \* [0-9]+)*$")
# What has no result here; promtool's tests cover them.
EXCUSED = {
    "QuintetAbsent": "empty while there are servers",
    "QuintetCertificateExpires": "empty without TLS",
    "QuintetReloadFailed": "empty without certificates and tokens",
}


def of_dashboard():
    """(name, query, reason why the result may be empty, or None) of each target."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        reason = re.search(r"Empty [^.]*", panel.get("description", ""))
        for target in panel.get("targets", []):
            query = target["expr"].replace("$__rate_interval", "1m").replace("$model", ".+")
            yield f"dashboard: {panel['title']}", query, reason and reason.group()


def of_rules():
    """The same for recording rules and alerts, whose files keep to one form: no YAML parser."""
    for path in RULES:
        text = path.read_text()
        blocks = re.split(r"^ {6}- ", text, flags=re.MULTILINE)[1:]
        for block in blocks:
            kind, name = re.match(r"(record|alert): (\S+)", block).groups()
            expression = re.search(r"^ {8}expr: (.*?)(?=^ {8}\w|\Z)", block, re.MULTILINE | re.DOTALL).group(1)
            lines = [line for line in expression.splitlines() if not line.strip().startswith("#")]
            query = " ".join(line.strip() for line in lines).removeprefix(">- ").strip()
            if kind == "alert":
                query, found = THRESHOLD.subn("", query)
                assert found == 1, f"{path.name}: {name} has no threshold at its end"
            yield f"{path.name}: {name}", query, EXCUSED.get(name)


def all_queries():
    queries = [*of_dashboard(), *of_rules()]
    assert len(queries) > 30, f"only {len(queries)} queries were found"
    return queries


def check(ask):
    """Runs every query; `ask` returns a list of (labels, value).

    Returns how many had a result and how many may be empty, or raises with all failures.
    """
    answered, excused, empty = 0, [], []
    for name, query, reason in all_queries():
        rows = ask(query)
        # NaN is a result: the ratio or the quantile of no samples.
        real = [value for _, value in rows if value == value]
        if real:
            answered += 1
        elif reason:
            excused.append(f"{name}: {reason}")
        else:
            empty.append(f"{name}: {query}")
    assert not empty, "no answer to\n" + "\n".join(empty)
    return answered, excused
