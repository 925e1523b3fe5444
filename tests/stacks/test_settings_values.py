"""Bad values: every one is a sentence with path, value, rule, reason and an example that works."""

import pytest

from tests.stacks.settings_cases import problems, repaired, with_value

LONG = "x" * 10_000

# path of the value, the value, words of the rule or reason
BAD_VALUES = [
    ("environment.name", "Dev", "lower-case"),
    ("environment.name", "a" * 16, "2 to 15"),
    ("environment.name", 7, "must be text in quotes"),
    ("environment.layers", ["base", "account"], "account alone"),
    ("environment.layers", [], "must list base"),
    ("environment.layers", ["base", "base"], "once"),
    ("environment.layers", "base", "must be a list"),
    ("environment.layers[0]", "bse", "did you mean base?"),
    ("environment.accountId", "12345", "12 digits"),
    ("environment.accountId", 123456789012, "must be text in quotes"),
    ("environment.accountId", "000000000000", "not filled in"),
    ("environment.region", "us-esat-1", "AWS region"),
    ("environment.protection", "strikt", "did you mean strict?"),
    ("environment.protection", True, "must be one of none, standard, strict"),
    ("environment.prefix", "sthree-ml", "S3 keeps"),
    ("environment.prefix", "a--b", "hyphens"),
    ("environment.owner", "", "must not be empty"),
    ("environment.owner", "CHANGE_ME", "placeholder"),
    ("environment.owner", "<your team>", "placeholder"),
    ("environment.costCentre", "TODO", "placeholder"),
    ("environment.costCentre", "xxx", "placeholder"),
    ("environment.tags.team", "two\nlines", "a line break"),
    ("environment.tags.team", "rocket 🚀", "AWS refuses rocket"),
    ("environment.tags.team", "", "must not be empty"),
    ("environment.tags.team", LONG, "at most 256 characters"),
    ("environment.tags.team", "aws:internal", "must not start with aws:"),
    ("environment.tags.team", 5, "must be text"),
    ("environment.tags", {"k" * 129: "v"}, "at most 128 characters"),
    ("environment.tags", {"aws:owner": "v"}, "must not start with aws:"),
    ("environment.tags", {f"key-{number}": "v" for number in range(51)}, "AWS allows 50"),
    ("environment.tags", {"Owner": "me"}, "sets the tags"),
    ("network.cidr", "10.0.0.0/8", "from /16 to /28"),
    ("network.cidr", "10.0.5.0/29", "from /16 to /28"),
    ("network.cidr", "10.0.0.0/24", "1024 in all, and a /24 has 256"),
    ("network.cidr", "8.8.0.0/16", "RFC 1918"),
    ("network.cidr", "10.0.0.5/16", "10.0.0.5 lies inside 10.0.0.0/16"),
    ("network.cidr", "10.0.0.0", "CIDR notation"),
    ("network.cidr", "fd00::/48", "CIDR notation"),
    ("network.cidr", "10.16.0.0/255.255.0.0", "CIDR notation"),
    ("network.cidr", "ten", "CIDR notation"),
    ("network.cidr", 10, "must be text"),
    ("network.zones", ["us-east-1a"], "2 or 3 zones"),
    ("network.zones", [f"us-east-1{letter}" for letter in "abcd"], "2 or 3 zones"),
    ("network.zones", ["us-east-1a", "us-east-1a"], "each zone once"),
    ("network.zones", "us-east-1a", "must be a list"),
    ("network.zones[1]", "us-west-2a", "must be a zone of us-east-1"),
    ("network.zones[1]", "use1-az1", "zone ids"),
    ("network.nat", "sinle", "did you mean single?"),
    ("network.endpoints", "none", "must be one of s3_only, standard, all"),
    ("network.flowLogRetentionDays", 17, "CloudWatch Logs knows no others"),
    ("network.flowLogRetentionDays", -1, "CloudWatch Logs knows no others"),
    ("network.flowLogRetentionDays", "thirty", "must be a whole number"),
    ("network.flowLogRetentionDays", "30", "without quotes"),
    ("network.flowLogRetentionDays", 30.5, "must be a whole number"),
    ("dataBuckets[0].noncurrentDays", -7, "must be at least 1"),
    ("dataBuckets[0].name", "Data_1", "lower-case"),
    ("dataBuckets[1]", {"name": "a-bucket-name-that-is-too-long"}, "at most"),
    ("dataBuckets[1]", {"name": "data"}, "it names one resource"),
    ("dataBuckets[1]", {"name": "access-logs"}, "Stackyard itself creates"),
    ("dataBuckets", {"name": "data"}, "must be a list"),
    ("dataBuckets", [{"name": "other"}], "must have one called data"),
    ("registry.keepImages", -1, "must be at least 1"),
    ("tracking", {"instanceClass": "t4g.micro", "storageGb": 20}, "RDS instance class"),
    ("tracking", {"instanceClass": "db.t4g.micro", "storageGb": 5}, "must be at least 20"),
    ("notifications.page", ["nobody"], "e-mail address"),
    ("notifications.page", ["a@b"], "e-mail address"),
    ("notifications.page", "a@example.com", "must be a list"),
    ("buildRunner.connection", True, "must be one of none, pending, confirmed"),
    ("cluster.kubernetesVersion", "1.29", "AWS no longer runs 1.29 (extended support ended on 2026-03-23)"),
    ("cluster.kubernetesVersion", "1.12", "the next allowed version is 1.34"),
    ("cluster.kubernetesVersion", "1.33", "no row for 1.33"),
    ("cluster.kubernetesVersion", "1.99", "must be one of 1.34, 1.35"),
    ("cluster.kubernetesVersion", 1.35, "must be text in quotes"),
    ("cluster.publicAccessCidrs", ["0.0.0.0/0"], "whole internet"),
    ("cluster.publicAccessCidrs", ["0.0.0.0/1"], "whole internet"),
    ("cluster.publicAccessCidrs", ["203.0.113.0/255.255.255.0"], "CIDR notation"),
    ("cluster.publicAccessCidrs", ["203.0.113.0/024"], "CIDR notation"),
    ("cluster.openToWorldReason", "we do not know who calls, so everybody", "must only be given with"),
    ("cluster.logRetentionDays", 100, "CloudWatch Logs knows no others"),
    ("cluster.adminRoleArns", [], "must have at least 1 entry"),
    ("cluster.adminRoleArns", ["arn:aws:iam::111122223333:user/me"], "IAM role"),
    ("nodePools[0].maxNodes", -1, "must be at least 1"),
    ("nodePools[0].maxNodes", 1.5, "must be a whole number"),
    ("nodePools[0].capacity", "spott", "did you mean spot?"),
    ("nodePools[0].instanceTypes", [], "must have at least 1 entry"),
    ("nodePools[0].instanceTypes", ["large"], "EC2 instance type"),
    ("nodePools[0].instanceTypes", ["g5.xlarge"], "must have no GPU"),
    ("nodePools[0].name", "cpu", "must have a CPU pool called general"),
    ("nodePools[0].gpu", {"maxGpus": 1}, "must not be given for the pool general"),
    ("nodePools[0]", 5, "must be a mapping"),
    ("nodePools[0].instanceTypes", "m7i.large", "must be a list"),
    ("nodePools[0].zones", ["us-east-1f"], "one of the network's zones us-east-1a, us-east-1b"),
    ("nodePools[0].zones", ["eu-west-1a"], "must be a zone of us-east-1"),
    ("nodePools[0].reservationIds", ["cr-0123456789abcdef0"], "capacity reservation or capacity_block"),
    ("nodePools[0].capacity", "reservation", "reservationIds is missing"),
    ("nodePools[1].instanceTypes", ["p9.huge"], "NVIDIA GPUs"),
    ("nodePools[0].instanceTypes", ["m7i.huge"], "EC2 has no size huge"),
    ("nodePools[1].instanceTypes", ["g5.9xlarge"], "did you mean"),
    ("nodePools[1].instanceTypes", ["m7i.large"], "NVIDIA GPUs"),
    ("nodePools[1].instanceTypes", ["g5.12xlarge"], "has 4 GPUs"),
    ("nodePools[1].instanceTypes", ["g5.xlarge", "g5g.xlarge"], "one processor architecture"),
    ("nodePools[1].gpu.maxGpus", -2, "must be at least 1"),
    ("nodePools[1].gpu.sharing", "time_slicing", "slices is missing"),
    ("nodePools[1].gpu.sharing", "mig", "has no MIG"),
    ("nodePools[1].gpu.slices", 4, "only be given with sharing time_slicing"),
    ("nodePools[1].gpu.efa", True, "g5.xlarge has no EFA"),
    ("nodePools[1].gpu.efa", True, "must be one zone"),
    ("nodePools[1].name", "general", "it names one resource"),
    ("teams[0].quota", {"cpus": -1, "memoryGb": 5}, "must be at least 1"),
    ("pipelines[0].team", "trains", "must be one of the teams flights"),
    ("pipelines[0].name", "trainign", "must be one of the pipelines training"),
    ("pipelines[0].schedule", "every day", "five numeric fields"),
    ("pipelines[0].schedule", "60 3 2 * *", "minute 0-59"),
    ("pipelines[0].schedule", "0 24 2 * *", "hour 0-23"),
    ("pipelines[0].schedule", "0 3 0 * *", "day 1-31"),
    ("pipelines[0].schedule", "0 3 2 13 *", "month 1-12"),
    ("pipelines[0].schedule", "0 3 * * 7", "weekday 0-6"),
    ("pipelines[0].schedule", "*/0 * * * *", "five numeric fields"),
    ("pipelines[0].schedule", "0 22-6 * * *", "22-6 ends before it begins"),
    ("pipelines[0].suspended", 1, "must be true or false"),
    ("serving", {"minReplicas": 5, "maxReplicas": 2}, "must be at most serving.maxReplicas (2)"),
    ("monitoring.retentionDays", 0, "must be at least 1"),
    ("budget.monthlyUsd", 0, "must be more than 0"),
    ("budget.monthlyUsd", -400, "must be more than 0"),
    ("budget.monthlyUsd", "400", "must be a number without quotes"),
    ("budget.monthlyUsd", float("inf"), "must be a finite number"),
    ("budget.monthlyUsd", 10**400, "must be"),
    ("budget.monthlyUsd", 4e9, "must be at most 1000000000"),
    ("ci", {"repository": "example-org/*"}, "without wildcards"),
    ("ci", {"repository": "example-org/stackyard", "stacks": ["account"]}, "must not contain account"),
]


@pytest.mark.parametrize(("path", "value", "words"), BAD_VALUES, ids=lambda value: str(value)[:40])
def test_a_bad_value_is_one_sentence_whose_example_mends_it(path, value, words):
    config = with_value(path, value)
    found = problems(config)
    matching = [problem for problem in found.values() if words in str(problem)]
    assert len(matching) == 1, f"one sentence says «{words}»: {[str(problem) for problem in found.values()]}"
    problem = matching[0]
    assert problem.path.partition("[")[0].partition(".")[0] == path.partition("[")[0].partition(".")[0]
    assert "\n" not in str(problem), "one line"
    assert len(str(problem)) < 600, "a sentence, not an essay"
    assert problem.rule.startswith(("must", "is missing")), "the rule"
    assert problem.reason, "the reason"
    if len(found) == 1 and problem.example:
        repaired(config, problem.example)


@pytest.mark.parametrize("schedule", ["0 3 2 * *", "*/15 0-6,22-23 * 1-12/3 1-5", "59 23 31 12 0", "00 03 1,15 * *"])
def test_a_schedule_that_argo_takes_is_taken(schedule):
    assert problems(with_value("pipelines[0].schedule", schedule)) == {}
