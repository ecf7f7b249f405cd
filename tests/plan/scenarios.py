#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""scenarios.py DRIVER [--update] [NAME…]: plays scenarios.json and compares what the plans say.

Every plan is checked against doc/plan.schema.json as well, and its graph is rendered by graphviz.
--update writes what is said now into scenarios.json; read the difference before you commit it.
"""

import copy
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import schema

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "scenarios.json"


def find(items, key, name):
    for item in items:
        if item[key] == name:
            return item
    raise KeyError(name)


def merge(thing, change):
    """Members of `change` go into `thing`; null takes one away; "NAME+" and "NAME-" change a list."""
    for name, value in change.items():
        if name.endswith("+"):
            thing.setdefault(name[:-1], []).extend(value)
        elif name.endswith("-"):
            thing[name[:-1]] = [item for item in thing[name[:-1]] if item not in value]
        elif value is None:
            thing.pop(name, None)
        else:
            thing[name] = value


def reorder(items, key, names):
    items.sort(key=lambda item: names.index(item[key]))


def edit(project, files, place, change):
    """"" is the project, "files" are the files, "IMAGE", "IMAGE/STAGE", "IMAGE/STAGE/INPUT"."""
    if place == "files":
        merge(files, change)
        return
    if place == "":
        merge(project, change)
        return
    words = place.split("/")
    kinds = (("images", "image"), ("stages", "stage"), ("inputs", "input"))[: len(words)]
    thing = project
    for depth, ((plural, key), word) in enumerate(zip(kinds, words)):
        siblings = thing.setdefault(plural, [])
        last = depth == len(words) - 1
        if last and change is None:
            siblings.remove(find(siblings, key, word))
            return
        if last and not any(item[key] == word for item in siblings):
            at = change.pop("before", None)
            item = {key: word}
            siblings.insert(len(siblings) if at is None else siblings.index(find(siblings, key, at)), item)
        thing = find(siblings, key, word)
    change = dict(change)
    for plural, key in (("stages", "stage"), ("inputs", "input")):
        order = change.pop("order", None) if plural in thing and "order" in change else None
        if order:
            reorder(thing[plural], key, order)
    merge(thing, change)


class Player:
    """A driver with a directory of its own."""

    def __init__(self, driver):
        self.directory = tempfile.mkdtemp(prefix="imagecache-scenario-")
        self.files, self.written = {}, set()
        self.process = subprocess.Popen(
            [driver], cwd=self.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self, scenario):
        self.process.stdin.close()
        code = self.process.wait()
        shutil.rmtree(self.directory)
        if code:
            raise RuntimeError(f"{scenario['name']}: the driver ended with {code}")

    def tell(self, *words):
        self.process.stdin.write("\t".join(words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n")
        if not answer and words[0] != "build":
            raise RuntimeError(f"no answer to {' '.join(words)}")
        return answer

    def write(self, project):
        for name in self.written - set(self.files):
            os.unlink(os.path.join(self.directory, name))
        for name, content in self.files.items():
            path = pathlib.Path(self.directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            path.chmod(0o644)
        for directory, _, _ in os.walk(self.directory):
            os.chmod(directory, 0o755)
        self.written = set(self.files)
        with open(os.path.join(self.directory, "project.json"), "w", encoding="utf-8") as file:
            json.dump(project, file)
        return self.tell("project", "project.json")


def spell(reason):
    """A reason on one line, as scenarios.json has it."""
    code = reason["code"]
    place = "/".join(reason[name] for name in ("image", "stage") if reason[name])
    words = [code, place] + [reason[name] for name in ("input", "path", "attribute") if reason[name]]
    if reason["old"] or reason["new"]:
        # Digests and times are nobody's business here.
        old, new = ("…" if value and len(value) >= 32 else value for value in (reason["old"], reason["new"]))
        words.append(f"{old or ''} → {new or ''}".strip() if old or new else "")
    return " ".join(words)


def spell_image(image):
    told = {"decision": image["decision"]}
    if image["run"]:
        told["run"] = image["run"]
    if image["tentative"]:
        told["tentative"] = True
    if image["restore"]:
        told["restore"] = image["restore"]["stage"] + ("" if image["restore"]["id"] else " (made before)")
    if image["append"] is not None:
        told["append"] = image["append"]
    states = {output["path"]: output["state"] for output in image["outputs"] if output["state"] != "valid"}
    if states:
        told["outputs"] = states
    for name in ("stale", "reasons"):
        if image[name]:
            told[name] = [spell(reason) for reason in image[name]]
    return told


def play(driver, table, scenario, dot):
    player = Player(driver)
    project = copy.deepcopy(table["projects"][scenario["project"]])
    player.files = dict(project.pop("files", {}))
    try:
        player.write(project)
        for step in scenario["steps"]:
            if isinstance(step, dict):
                for place, change in copy.deepcopy(step).items():
                    edit(project, player.files, place, change)
                answer = player.write(project)
            else:
                words = step.split("\t") if "\t" in step else step.split()
                answer = player.tell(*words)
            if isinstance(step, dict) and answer != "ok":
                return {"failed": json.loads(answer)["failed"], "message": json.loads(answer)["message"]}
        answer = player.tell("plan", *scenario.get("options", []))
        said = json.loads(answer)
        if "failed" in said:
            return said
        schema.check(json.loads((HERE / "../../doc/plan.schema.json").read_text()), said)
        if dot:
            graph = player.tell("dot", *scenario.get("options", [])).replace("\t", "\n")
            subprocess.run([dot, "-Tsvg"], input=graph, text=True, check=True, stdout=subprocess.DEVNULL)
        told = {image["image"]: spell_image(image) for image in said["images"]}
        if "text" in scenario:
            told["text"] = player.tell("text", *scenario.get("options", [])).rstrip("\t").split("\t")
        return told
    finally:
        player.close(scenario)


def main():
    arguments = sys.argv[1:]
    driver = os.path.abspath(arguments.pop(0))
    update = "--update" in arguments
    names = [argument for argument in arguments if argument != "--update"]
    table = json.loads(TABLE.read_text())
    dot, wrong, played = shutil.which("dot"), 0, 0
    for scenario in table["scenarios"]:
        if names and scenario["name"] not in names:
            continue
        played += 1
        told = play(driver, table, scenario, dot)
        expected = dict(scenario.get("expect", {}))
        if "text" in scenario:
            expected["text"] = scenario["text"]
        if told == expected:
            continue
        if update:
            if "text" in told:
                scenario["text"] = told.pop("text")
            scenario["expect"] = told
            continue
        wrong += 1
        print(f"{scenario['name']}:")
        print("  expected", json.dumps(expected, ensure_ascii=False, indent=2).replace("\n", "\n  "))
        print("  told    ", json.dumps(told, ensure_ascii=False, indent=2).replace("\n", "\n  "))
    if update:
        TABLE.write_text(dump(table))
    print(f"{played} scenarios, {wrong} wrong")
    if not dot:
        print("graphs were not rendered: dot is missing")
        if os.environ.get("IMAGECACHE_TESTS_STRICT") == "1":
            sys.exit(1)
    sys.exit(1 if wrong else 0)


def dump(table):
    """JSON with a line for each step and each image that is expected."""

    def line(value):
        return json.dumps(value, ensure_ascii=False)

    def members(thing, indent):
        pad = " " * indent
        return ",\n".join(f"{pad}{line(name)}: {line(value)}" for name, value in thing.items())

    out = ['{"projects": {']
    projects = []
    for name, project in table["projects"].items():
        projects.append(f"{line(name)}: " + json.dumps(project, ensure_ascii=False, indent=1))
    out.append(",\n".join(projects))
    out.append('}, "scenarios": [')
    scenarios = []
    for scenario in table["scenarios"]:
        text = f'{{"name": {line(scenario["name"])},\n'
        if "why" in scenario:
            text += f' "why": {line(scenario["why"])},\n'
        text += f' "project": {line(scenario["project"])},\n "steps": [' + ", ".join(map(line, scenario["steps"])) + "],\n"
        if "options" in scenario:
            text += f' "options": {line(scenario["options"])},\n'
        text += ' "expect": {\n' + members(scenario["expect"], 2) + "}"
        if "text" in scenario:
            text += ',\n "text": [\n' + ",\n".join("  " + line(one) for one in scenario["text"]) + "]"
        scenarios.append(text + "}")
    out.append(",\n\n".join(scenarios))
    out.append("]}\n")
    return "\n".join(out)


main()
