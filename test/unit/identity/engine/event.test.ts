import fc from "fast-check";
import { expect, test } from "vitest";
import { readEvent } from "../../../../src/identity/engine/event.js";

const id = "155e805832cc608162ab3f3d3f32c92b3ea501327551046dd33d49c49f380644";
const network = "1dd032d1aebc335b31b5b334afab5f2abf0007fdb732acc929669800e703cee2";
const timeNano = 1_795_626_704_698_582_000;
const atMs = timeNano / 1e6;
const line = (Type: string, Action: string, ID: string, Attributes: unknown) =>
	JSON.stringify({ Type, Action, Actor: { ID, Attributes }, scope: "local", timeNano });

test("a create and a start tell name, image and labels, as Docker and Podman have them", () => {
	const attributes = { name: "web1", image: "busybox", labels: new Map([["solisten.service", "web"]]) };
	const docker = { image: "busybox", name: "web1", "solisten.service": "web" };
	const podman = { ...docker, containerExitCode: "0", podId: "" };
	expect(readEvent(line("container", "create", id, docker))).toEqual({ id, atMs, kind: "created", attributes });
	expect(readEvent(line("container", "start", id, podman))).toEqual({ id, atMs, kind: "started", attributes });
});

test.each([
	["die", "ended"],
	["died", "ended"],
	["stop", "ended"],
	["destroy", "removed"],
	["remove", "removed"],
	["rename", "renamed"],
])("%s is told as %s", (action, kind) => {
	expect(readEvent(line("container", action, id, { name: "web1" }))).toEqual({ id, atMs, kind });
});

test("a network's event is the container's: Docker names it in an attribute, Podman in place of the network", () => {
	const moved = { id, atMs, kind: "moved" };
	expect(readEvent(line("network", "connect", network, { container: id, name: "bridge" }))).toEqual(moved);
	expect(readEvent(line("network", "disconnect", id, { name: "web1" }))).toEqual(moved);
	expect(readEvent(line("network", "create", network, { name: "n1" }))).toBeUndefined();
});

test("what does not matter is passed over; what is no event can't be read", () => {
	for (const other of [
		line("container", "exec_create: sh", id, {}),
		line("container", "die", "short", {}),
		line("image", "pull", id, {}),
	]) {
		expect(readEvent(other)).toBeUndefined();
	}
	for (const none of [
		"",
		"{",
		"7",
		"null",
		"{}",
		'{"Type":"container","Action":"start"}',
		line("container", "start", id, {}).slice(5),
	]) {
		expect(readEvent(none)).toBe("unreadable");
	}
	expect(readEvent(line("container", "start", id, null))).toMatchObject({ kind: "started" });
});

test("no line, however odd, makes it throw", () => {
	fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void readEvent(text)));
	fc.assert(fc.property(fc.jsonValue(), (attributes) => void readEvent(line("container", "start", id, attributes))));
});
