import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readInspected, readList } from "../../../../src/identity/engine/answers.js";

const id = "096ebe9e9c869a2eebff514a0776eaebf27e532738955e62b07c7d807530f156";

/** From Docker 20.10, without what is not read. */
const docker = {
	Id: id,
	Name: "/web1",
	State: { Status: "running", Running: true, Pid: 26548, StartedAt: "2026-11-25T17:22:46.787229828Z" },
	Config: {
		ExposedPorts: { "80/tcp": {}, "53/udp": {} },
		Env: ["VIRTUAL_HOST=a.b", "SERVICE_80_NAME=a=b", "SECRET=1", "PATH=/bin", "VIRTUAL_NOTHING"],
		Image: "busybox",
		Volumes: null,
		Entrypoint: null,
		Labels: { "solisten.service": "web" },
	},
	HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: "8080" }] }, PublishAllPorts: false },
	NetworkSettings: {
		Ports: {
			"80/tcp": [
				{ HostIp: "0.0.0.0", HostPort: "8080" },
				{ HostIp: "::", HostPort: "8080" },
			],
			"53/udp": [{ HostIp: "0.0.0.0", HostPort: "53" }],
			"81/tcp": null,
		},
	},
};

describe("an inspect", () => {
	test("is read as Docker gives it", () => {
		expect(readInspected(docker, id)).toEqual({
			container: {
				id,
				name: "web1",
				image: "busybox",
				labels: new Map([["solisten.service", "web"]]),
				env: new Map([
					["VIRTUAL_HOST", "a.b"],
					["SERVICE_80_NAME", "a=b"],
				]),
				exposed: [80],
				published: [
					{ port: 80, hostAddress: "0.0.0.0", hostPort: 8080 },
					{ port: 80, hostAddress: "::", hostPort: 8080 },
				],
				stopSignal: undefined,
			},
			isRunning: true,
			startedAtMs: Date.UTC(2026, 10, 25, 17, 22, 46, 787),
			publishes: true,
		});
	});

	test("is read as Podman gives it: no host address, and a signal's number", () => {
		const podman = {
			...docker,
			Config: { ...docker.Config, StopSignal: "15" },
			NetworkSettings: { Ports: { "80/tcp": [{ HostIp: "", HostPort: "8081" }] } },
		};
		expect(readInspected(podman, id)?.container).toMatchObject({
			stopSignal: "SIGTERM",
			published: [{ port: 80, hostAddress: "0.0.0.0", hostPort: 8081 }],
		});
	});

	test.each([
		["QUIT", "SIGQUIT"],
		["SIGQUIT", "SIGQUIT"],
		["3", "SIGQUIT"],
		["sigwinch", "SIGWINCH"],
		["SIGRTMIN+3", "SIGRTMIN+3"],
		["999", undefined],
		["a b", undefined],
		["", undefined],
	])("names the stop signal %j", (StopSignal, name) => {
		const answer = { ...docker, Config: { ...docker.Config, StopSignal } };
		expect(readInspected(answer, id)?.container.stopSignal).toBe(name);
	});

	test("needs an id that is the one asked for, a configuration and a state; all else may be missing or of another kind", () => {
		const State = { Running: false, StartedAt: "0001-01-01T00:00:00Z" };
		expect(readInspected({ Id: id, Config: {}, State }, id)).toEqual({
			container: {
				id,
				name: "",
				image: "",
				labels: new Map(),
				env: new Map(),
				exposed: [],
				published: [],
				stopSignal: undefined,
			},
			isRunning: false,
			startedAtMs: 0,
			publishes: false,
		});
		const odd = { Labels: [1], Env: { A: 1 }, ExposedPorts: "80/tcp", Image: 7, StopSignal: null };
		expect(readInspected({ Id: id, Config: odd, State, HostConfig: 1, NetworkSettings: null }, id)).toBeDefined();
		for (const wrong of [
			{ Id: id },
			{ Id: id, Config: {} },
			{ Id: id.slice(1), Config: {}, State },
			docker.Config,
			null,
		]) {
			expect(readInspected(wrong, id)).toBeUndefined();
		}
		expect(readInspected(docker, "0".repeat(64))).toBeUndefined();
	});

	test("keeps few and short labels, and none that is no text", () => {
		const Labels: Record<string, unknown> = JSON.parse('{"__proto__":"kept"}');
		Object.assign(Labels, { long: "x".repeat(5000), ["k".repeat(257)]: "dropped", number: 7, none: null });
		const labels = readInspected({ ...docker, Config: { ...docker.Config, Labels } }, id)?.container.labels;
		expect(labels).toEqual(
			new Map([
				["__proto__", "kept"],
				["long", "x".repeat(4096)],
			]),
		);
		const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`label-${n}`, ""]));
		const kept = readInspected({ ...docker, Config: { ...docker.Config, Labels: many } }, id)?.container.labels;
		expect(kept?.size).toBe(256);
	});
});

describe("a list", () => {
	test("is read as Docker and Podman give it", () => {
		const row = { Id: id, Names: ["/web1"], Image: "busybox", Labels: null, State: "running" };
		const docker = { ...row, Ports: [{ IP: "::", PrivatePort: 80, PublicPort: 8080, Type: "tcp" }] };
		const podman = {
			...row,
			Ports: [
				{ PrivatePort: 80, PublicPort: 8080, Type: "tcp" },
				{ PrivatePort: 81, Type: "tcp" },
			],
		};
		const container = { id, name: "web1", image: "busybox", labels: new Map(), env: undefined, stopSignal: undefined };
		expect(readList([docker, podman])).toEqual({
			containers: [
				{ ...container, exposed: [80], published: [{ port: 80, hostAddress: "::", hostPort: 8080 }] },
				{ ...container, exposed: [80, 81], published: [{ port: 80, hostAddress: "0.0.0.0", hostPort: 8080 }] },
			],
			isWhole: true,
		});
	});

	test("says when there is something in it that can't be told", () => {
		expect(readList([{ Id: 7 }, { Id: id, Names: null, Ports: [null, { Type: "udp" }] }])).toMatchObject({
			containers: [{ id, name: "", exposed: [], published: [] }],
			isWhole: false,
		});
		for (const wrong of [{}, null, "[]", 7]) expect(readList(wrong)).toBeUndefined();
	});
});

test("no answer, however odd, makes it throw", () => {
	const odd = fc.anything();
	const shaped = fc.record(
		{ Id: fc.constant(id), Names: odd, Labels: odd, Ports: odd, Image: odd },
		{ requiredKeys: ["Id"] },
	);
	const details = fc.record({
		Id: fc.constant(id),
		Name: odd,
		State: fc.record({ Running: odd, StartedAt: odd }),
		Config: fc.record({ Labels: odd, Env: odd, ExposedPorts: odd, StopSignal: odd }),
		HostConfig: odd,
		NetworkSettings: fc.record({ Ports: fc.dictionary(fc.constantFrom("80/tcp", "x"), odd) }),
	});
	fc.assert(fc.property(fc.array(fc.oneof(odd, shaped)), (answer) => void readList(answer)));
	fc.assert(fc.property(details, (answer) => void expect(readInspected(answer, id)).toBeDefined()));
	fc.assert(fc.property(odd, (answer) => void readInspected(answer, id)));
});
