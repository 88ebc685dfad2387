"""Runs of the consumer storm (tests/lib/storm): many consumers in one process, driven by sockets."""

import json
import os
import subprocess

from . import api, native, procs

GROUP, ORDERED_GROUP = "CG_STORM", "CG_STORM_ORDER"


class Result:
    def __init__(self, status, figures, history):
        self.status, self.figures, self.history = status, figures, history

    def __getitem__(self, name):
        return self.figures[name]


def prepare(env, topic, queues, groups):
    """Makes topic and groups; the broker's name, which locks need."""
    with api.Broker(env.broker) as b, api.NameServer(env.namesrv) as n:
        api.check(b.create_topic(topic, queues))
        for group in groups:
            api.check(b.create_group(group))

        def name():
            f = n.route(topic)
            return f.json()["brokerDatas"][0]["brokerName"] if f.code == 0 else None

        return procs.wait_until(name, 10, "route of %s" % topic)


def run(env, mode, topic, seed, queues, groups=(GROUP, None), timeout=600, history=True, **options):
    """Runs `mode`; options become --name value. Figures are those that the program prints."""
    name = prepare(env, topic, queues, [g for g in groups if g])
    args = [native.build("storm", "storm", "history/write.c"), mode, "--broker", env.broker,
            "--broker-name", name, "--topic", topic, "--queues", queues, "--seed", seed]
    for option, group in zip(("--group", "--ordered-group"), groups):
        args += [option, group] if group else []
    path = None
    if mode == "churn" and history:
        path = os.path.join(procs.temp_dir(), "history")
        args += ["--history", path]
    for option, value in options.items():
        args += ["--" + option.replace("_", "-"), value]
    done = subprocess.run([str(a) for a in args], timeout=timeout, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):
        raise AssertionError("the storm ended with %d: %s" % (done.returncode,
                                                             done.stderr.decode()[-2000:]))
    return Result(done.returncode, json.loads(done.stdout), path)


def counters(env):
    """The broker's runtime information (28), numbers as numbers."""
    with api.Broker(env.broker) as b:
        table = api.check(b.request(api.RUNTIME_INFO)).json()["table"]
    return {k: int(v) if v.lstrip("-").isdigit() else v for k, v in table.items()}
