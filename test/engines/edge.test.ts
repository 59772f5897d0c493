/** From a label to traffic: real containers, a real HAProxy in front of them, and the daemon that a user runs. */

import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startClient } from "../host/client.js";
import type { ContainerEngine } from "../host/container-engine.js";
import { type LogLine, solistend } from "../host/daemon.js";
import { openDocker } from "../host/docker.js";
import { type Edge, joined, left, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ask } from "../host/http.js";
import { openPodman } from "../host/podman.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

/** Between two attempts to reach an engine there are up to 10 s, when it was away for as long. */
const FOUND_AGAIN_MS = 20_000;
const isAsked = ({ msg }: LogLine) => msg.endsWith("is asked for containers");

/** An application that takes its time before it listens. */
const slow = (seconds: number) => [
	"sh",
	"-c",
	`hostname > /www/index.html; sleep ${seconds}; exec httpd -f -p 80 -h /www`,
];

describe.skipIf(skipPrivileged).each([
	["Docker", openDocker],
	["Podman", openPodman],
] as const)("with a real %s", (_, open) => {
	let engine: ContainerEngine;
	beforeAll(async () => {
		engine = await open();
	});
	afterEach(async () => {
		const ids = await engine.exec("ps", "--all", "--quiet");
		if (ids !== "") await engine.exec("rm", "--force", ...ids.split("\n"));
	});
	afterAll(async () => {
		await engine?.close();
	});

	/** HAProxy stands where the containers' networks are. */
	const openEdgeBeside = (discovery: object = {}, services: object = {}) =>
		openEdge({
			within: engine.netns,
			services,
			settings: { discovery: { docker: `unix://${engine.socket}`, ...discovery } },
		});
	const cli = async (edge: Edge, ...words: string[]) => {
		const [command, ...rest] = solistend(...words, "--config", edge.config);
		return execa(command, rest, { reject: false });
	};
	const answerOf = async (edge: Edge) => (await ask(edge.url)).body.trim();
	const answersBy = (edge: Edge, name: string) =>
		eventually(`${name} answers`, async () => (await answerOf(edge)) === name);

	test("a label is all that a container needs, and its service stays in its place until it is forgotten", async () => {
		await using edge = await openEdgeBeside();
		const daemon = await edge.startDaemon();
		const web = await engine.run({ labels: { "solisten.service": "web" }, options: ["--hostname", "one"] });
		await joined(daemon, `web/${web.address}:80`);
		await answersBy(edge, "one");
		await web.remove();
		await left(daemon, `web/${web.address}:80`);
		expect((await ask(edge.url)).status).toBe(503);
		// the kernel says that it closed before the engine says that its container is gone
		await eventually("it is forgotten", async () => (await cli(edge, "forget", "web")).stdout === "web  forgotten");
		const again = await cli(edge, "forget", "web");
		expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("no service by label is named web") });
	});

	test("no request is lost while another one boots, nor goes to it before it listens", async () => {
		await using edge = await openEdgeBeside();
		const daemon = await edge.startDaemon();
		const labels = { "solisten.service": "web" };
		const first = await engine.run({ labels, options: ["--hostname", "one"] });
		await joined(daemon, `web/${first.address}:80`);
		await answersBy(edge, "one");
		const client = edge.owned.own(startClient(edge.url));
		const second = await engine.run({ labels, options: ["--hostname", "two"], command: slow(2) });
		await joined(daemon, `web/${second.address}:80`);
		await answersBy(edge, "two");
		expect(client.failed).toBe(0);
		await first.stop();
		await left(daemon, `web/${first.address}:80`);
		await eventually("it has asked often", () => client.asked > 50);
		await client.close();
		// one that is being answered ends with the application, which does not wait for it
		expect(client.failed - client.cut).toBe(0);
		expect(client.cut).toBeLessThanOrEqual(1);
	});

	test("a restart of the daemon changes nothing, nor does one of the engine", async () => {
		await using edge = await openEdgeBeside();
		const first = await edge.startDaemon();
		const web = await engine.run({ labels: { "solisten.service": "web" }, options: ["--hostname", "one"] });
		await joined(first, `web/${web.address}:80`);
		const client = edge.owned.own(startClient(edge.url));
		await first.kill();
		const second = await edge.startDaemon();
		await engine.kill();
		await second.waitFor("what is known of containers stays, and nothing new is learnt until it answers");
		// it may be found again, and more be said, before `restart` resolves
		const from = second.lines.length;
		await engine.restart();
		await second.waitFor(isAsked, { from, timeoutMs: FOUND_AGAIN_MS });
		const other = await engine.run({ labels: { "solisten.service": "web" }, options: ["--hostname", "two"] });
		await joined(second, `web/${other.address}:80`);
		await client.close();
		expect(client.failed).toBe(0);
		expect(
			second.lines.filter(({ msg, left: gone }) => msg === "applied" && Array.isArray(gone) && gone.length > 0),
		).toEqual([]);
	});

	test("a daemon that starts while the engine is away keeps what the proxy has, and goes on when it is back", async () => {
		await using edge = await openEdgeBeside();
		const first = await edge.startDaemon();
		const labels = { "solisten.service": "web" };
		const web = await engine.run({ labels, options: ["--hostname", "one"] });
		await joined(first, `web/${web.address}:80`);
		await first.stop();
		await engine.kill();
		const second = await edge.startDaemon();
		await answersBy(edge, "one");
		const waits = await cli(edge, "explain", "--container", web.id.slice(0, 12));
		expect(waits.stdout).toContain("cannot be reached");
		await engine.restart();
		await second.waitFor(isAsked, { timeoutMs: FOUND_AGAIN_MS });
		await eventually("the container is known", async () => {
			const { stdout } = await cli(edge, "explain", "--container", web.name);
			return stdout.includes("ready: it listens");
		});
		expect(await answerOf(edge)).toBe("one");
	});

	test("what labels may not take is refused, said where it is looked for, and once in the log", async () => {
		const services = { web: { match: { port: 8080, netns: "none" }, hosts: ["www.example.org"] } };
		await using edge = await openEdgeBeside({ allow: [{ name: "friend" }] }, services);
		const daemon = await edge.startDaemon();
		const labels = { "solisten.service": "web", "solisten.port": "80" };
		const stranger = await engine.run({ name: "stranger", labels });
		await daemon.waitFor("labels of a container are not followed");
		const friend = await engine.run({ name: "friend", labels, options: ["--hostname", "friend"] });
		await joined(daemon, `web/${friend.address}:80`);
		// its labels are known before it listens
		const row = await eventually("it listens", async () => {
			const { stdout } = await cli(edge, "ls");
			return stdout.split("\n").find((line) => line.includes(stranger.id.slice(0, 12)));
		});
		const why = "web: the configuration has a service of that name (discovery.allow lets containers join it)";
		expect(row).toContain(`out: ${why}`);
		expect((await cli(edge, "explain", "stranger")).stdout).toContain(why);
		expect((await ask(edge.url, { headers: { host: "www.example.org" } })).body.trim()).toBe("friend");
		expect(daemon.lines.filter(({ msg }) => msg === "labels of a container are not followed")).toHaveLength(1);
	});

	test("labels of any kind harm nobody", async () => {
		await using edge = await openEdgeBeside({ conventions: ["virtual-host", "traefik", "registrator"] });
		const daemon = await edge.startDaemon();
		await engine.run({
			name: "hostile",
			labels: {
				"solisten.service": 'web"\n\tserver evil 1.2.3.4:80',
				"solisten.host": "a.example.org } use_backend x",
				"solisten.x{{y}}.port": "80",
				"traefik.http.routers.r.rule": `Host(\`${"a".repeat(10_000)}\`)`,
				[`solisten.${"b".repeat(300)}.port`]: "80",
			},
			env: { VIRTUAL_HOST: "~^evil$,\u0000".replace("\u0000", ""), SERVICE_NAME: "a b{c" },
		});
		await daemon.waitFor("labels of a container are not followed");
		const labels = { "solisten.service": "web", "solisten.host": "one.example.org" };
		const web = await engine.run({ labels, options: ["--hostname", "one"] });
		await joined(daemon, `web/${web.address}:80`);
		const { body } = await ask(edge.url, { headers: { host: "one.example.org" } });
		expect(body.trim()).toBe("one");
		expect(await edge.written()).not.toContain("evil");
	});

	test("the conventions of other tools are followed where they are switched on", async () => {
		await using edge = await openEdgeBeside({ conventions: ["virtual-host", "traefik"] });
		const daemon = await edge.startDaemon();
		const one = await engine.run({
			env: { VIRTUAL_HOST: "one.example.org", VIRTUAL_PORT: "80" },
			options: ["--hostname", "one"],
		});
		const two = await engine.run({
			labels: {
				"traefik.http.routers.two.rule": "Host(`two.example.org`)",
				"traefik.http.services.two.loadbalancer.server.port": "80",
			},
			options: ["--hostname", "two"],
		});
		await joined(daemon, `one.example.org/${one.address}:80`);
		await joined(daemon, `two/${two.address}:80`);
		for (const name of ["one", "two"]) {
			await eventually(`${name} answers`, async () => {
				const { body } = await ask(edge.url, { headers: { host: `${name}.example.org` } });
				return body.trim() === name;
			});
		}
	});

	test("containers that share a network namespace have each their own labels", async () => {
		await using edge = await openEdgeBeside();
		const daemon = await edge.startDaemon();
		const web = await engine.run({ labels: { "solisten.service": "web" } });
		const beside = await engine.run({
			labels: { "solisten.service": "api" },
			network: `container:${web.id}`,
			command: ["sh", "-c", "echo api > /www/index.html; exec httpd -f -p 81 -h /www"],
		});
		await joined(daemon, `web/${web.address}:80`);
		await joined(daemon, `api/${web.address}:81`);
		await beside.remove();
		await left(daemon, `api/${web.address}:81`);
		expect((await cli(edge, "status")).stdout).toMatch(new RegExp(`web +${web.address}:80 +ready`));
	});

	test("one with the same name and another id is another one", async () => {
		await using edge = await openEdgeBeside();
		const daemon = await edge.startDaemon();
		const first = await engine.run({ name: "app", labels: { "solisten.service": "web" } });
		await joined(daemon, `web/${first.address}:80`);
		await first.remove();
		await left(daemon, `web/${first.address}:80`);
		const from = daemon.lines.length;
		const second = await engine.run({ name: "app", labels: { "solisten.service": "api" } });
		await joined(daemon, `api/${second.address}:80`, from);
		expect((await cli(edge, "status")).stdout).toMatch(/^web +none/m);
	});

	test("a match by container name, image and label needs no label of ours", async () => {
		const container = { name: "shop-*", image: "*busybox:*", label: { tier: "front" } };
		await using edge = await openEdgeBeside({ labels: false }, { shop: { match: { port: 80, container } } });
		const daemon = await edge.startDaemon();
		await engine.run({ name: "shop-back", labels: { tier: "back" } });
		const front = await engine.run({ name: "shop-front", labels: { tier: "front" } });
		await joined(daemon, `shop/${front.address}:80`);
		// started earlier, it may listen later
		await eventually("the other one is told why", async () => {
			return (await cli(edge, "explain", "shop-back")).stdout.includes("label tier back does not match front");
		});
	});

	test("a gate that a label asks for keeps one out until it answers", async () => {
		await using edge = await openEdgeBeside();
		// it asks from where it is itself
		const daemon = await edge.startDaemon(engine.netns);
		const web = await engine.run({
			labels: { "solisten.service": "web", "solisten.ready": "/ok interval=50ms" },
			command: ["sh", "-c", "httpd -p 80 -h /www; exec sleep 1000"],
		});
		await eventually("it waits for its gate", async () => {
			return (await cli(edge, "status")).stdout.includes("waits for GET /ok");
		});
		await engine.exec("exec", web.id, "sh", "-c", "echo yes > /www/ok");
		await joined(daemon, `web/${web.address}:80`);
	});
});

describe.skipIf(skipPrivileged)("with a real Docker", () => {
	test("a network that is connected and disconnected is followed within a second", async () => {
		await using docker = await openDocker();
		await using edge = await openEdge({
			within: docker.netns,
			services: {},
			settings: { discovery: { docker: `unix://${docker.socket}` }, addresses: ["172.30.0.0/16", "172.31.0.0/24"] },
		});
		const daemon = await edge.startDaemon();
		await docker.exec("network", "create", "--subnet", "172.30.7.0/24", "other");
		const web = await docker.run({ labels: { "solisten.service": "web" } });
		await joined(daemon, `web/${web.address}:80`);
		await docker.exec("network", "connect", "--ip", "172.30.7.9", "other", web.id);
		const come = await joined(daemon, "web/172.30.7.9:80");
		expect(come["left"]).toEqual([`web/${web.address}:80`]);
		const from = daemon.lines.length;
		await docker.exec("network", "disconnect", "other", web.id);
		await joined(daemon, `web/${web.address}:80`, from);
		await docker.exec("network", "disconnect", "bridge", web.id);
		await left(daemon, `web/${web.address}:80`, from);
	});

	test("a container on the host's network is reached at the loopback", async () => {
		await using docker = await openDocker();
		await using edge = await openEdge({
			within: docker.netns,
			services: {},
			settings: { discovery: { docker: `unix://${docker.socket}` } },
		});
		const daemon = await edge.startDaemon();
		const command = ["sh", "-c", "echo host > /www/index.html; exec httpd -f -p 8081 -h /www"];
		await docker.run({ labels: { "solisten.service": "web" }, network: "host", command });
		await joined(daemon, "web/127.0.0.1:8081");
		await eventually("it answers", async () => (await ask(edge.url)).body.trim() === "host");
	});
});
