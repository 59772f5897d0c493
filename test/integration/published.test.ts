/**
 * Containers that are reached at a port of the host alone: real namespaces, cgroups and port proxies, told of by an engine
 * that is none; a real HAProxy before them.
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { type Application, startApplication } from "../host/application.js";
import { addContainerCgroup } from "../host/cgroup.js";
import { startClient } from "../host/client.js";
import type { Daemon } from "../host/daemon.js";
import { type Edge, joined, left, openEdge } from "../host/edge.js";
import { type EngineServer, openEngineServer } from "../host/engine-server.js";
import { eventually } from "../host/eventually.js";
import { ip } from "../host/ip.js";
import { addNetns, type Netns } from "../host/netns.js";
import { answersAre, operate, resync, toldOf } from "../host/operator.js";
import { type PortProxy, startPortProxy } from "../host/port-proxy.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

/** Of a network for tests of networks (RFC 2544): no route of this host is meant for it. */
const FAR = "198.18.7.1";

/** What every rootless container has. */
const ROOTLESS = "10.0.2.100";

interface Host extends AsyncDisposable {
	readonly edge: Edge;
	readonly engine: EngineServer;
	/** Keys of the configuration: an engine is asked, and nothing is looked at for want of news. */
	readonly settings: { readonly discovery: object; readonly resync: string };
}

async function openHost(): Promise<Host> {
	const engine = await openEngineServer();
	try {
		const settings = { discovery: { docker: `unix://${engine.socket}` }, resync: "1h" };
		const edge = await openEdge({ services: {}, settings });
		const close = async () => {
			await edge.close();
			await engine.close();
		};
		return { edge, engine, settings, [Symbol.asyncDispose]: close };
	} catch (error) {
		await engine.close();
		throw error;
	}
}

/** A container that runs, with nobody who listens in it. */
interface Placed {
	readonly id: string;
	/** Starts its application. */
	serve(): Promise<Application>;
}

interface Published extends Placed {
	readonly proxy: PortProxy;
	/** What its backend is called. */
	readonly backend: string;
}

async function namespaceAt({ edge }: Host, name: string, address: string): Promise<Netns> {
	const netns = edge.owned.own(await addNetns(name));
	await ip([`addr add ${address}/32 dev lo`], netns.name);
	return netns;
}

/** One in service `web`. */
async function addContainer(
	{ edge, engine }: Host,
	name: string,
	netns: Netns,
	publish: Readonly<Record<number, number>> = {},
): Promise<Placed> {
	const id = randomBytes(32).toString("hex");
	const { enter } = edge.owned.own(await addContainerCgroup(id));
	engine.start({ id, name, labels: { "solisten.service": "web" }, publish });
	return { id, serve: async () => edge.owned.own(await startApplication({ name, netns, within: enter })) };
}

/** One with a port proxy that listens by the time it starts. */
async function addPublished(host: Host, name: string, address = FAR, comm = "docker-proxy"): Promise<Published> {
	const netns = await namespaceAt(host, name, address);
	const proxy = host.edge.owned.own(await startPortProxy({ comm, netns }));
	const container = await addContainer(host, name, netns, { 80: proxy.port });
	return { ...container, proxy, backend: `127.0.0.1:${proxy.port}` };
}

/** Whether somebody takes a connection at a port of 127.0.0.1. */
async function isAccepted(port: number): Promise<boolean> {
	const socket = connect(port, "127.0.0.1");
	try {
		await once(socket, "connect");
		return true;
	} catch {
		return false;
	} finally {
		socket.destroy();
	}
}

const hasLeft = ({ lines }: Daemon) => lines.some(({ left: gone }) => Array.isArray(gone) && gone.length > 0);

/** What `explain` says of a container's listener, as soon as it says this. */
const explained = ({ edge }: Host, { id }: Placed, text: RegExp) =>
	eventually(`explain says ${text.source}`, async () => {
		const said = await operate(edge, "explain", "--container", id);
		return text.test(said) && said;
	});

describe.skipIf(skipPrivileged)("a container with a published port", () => {
	test("joins when its application listens, not when its port proxy does, whatever wants that", async () => {
		await using host = await openHost();
		const { edge, settings } = host;
		const web = await addPublished(host, "web");
		const { port, pid } = web.proxy;
		await edge.configure({
			services: { web: { match: { netns: "host", port } } },
			settings: { ...settings, discovery: { ...settings.discovery, allow: [{ name: "web" }] } },
		});
		const daemon = await edge.startDaemon();
		expect(await operate(edge, "explain", "--pid", String(pid))).toContain(
			"docker-proxy on the host is a proxy itself",
		);
		expect(await isAccepted(port)).toBe(true);
		expect(await toldOf(edge, web.backend)).toBeUndefined();
		await web.serve();
		await joined(daemon, `web/${web.backend}`);
		await answersAre(edge, "web");
	});

	test("leaves when its application closes, although its port proxy still accepts", async () => {
		await using host = await openHost();
		const daemon = await host.edge.startDaemon();
		const [one, two] = [await addPublished(host, "one"), await addPublished(host, "two", "198.18.7.2")];
		const application = await one.serve();
		await two.serve();
		await answersAre(host.edge, "one", "two");
		await application.tell("close");
		await left(daemon, `web/${one.backend}`);
		expect(await isAccepted(one.proxy.port)).toBe(true);
		await answersAre(host.edge, "two");
		const from = daemon.lines.length;
		await application.tell("listen");
		await joined(daemon, `web/${one.backend}`, from);
		await answersAre(host.edge, "one", "two");
	});

	test("stays while the daemon is started anew, also where the engine answers late", async () => {
		await using host = await openHost();
		const { edge, engine } = host;
		const first = await edge.startDaemon();
		const web = await addPublished(host, "web");
		await web.serve();
		await joined(first, `web/${web.backend}`);
		await answersAre(edge, "web");
		const client = edge.owned.own(startClient(edge.url));
		await first.kill();
		const second = await edge.startDaemon();
		await explained(host, web, /ready: it listens/);
		await second.kill();

		const release = engine.hold("/containers/");
		const third = await edge.startDaemon();
		await explained(host, web, /waits for identity/);
		await resync(edge);
		const asked = client.asked;
		await eventually("it is asked for a while", () => client.asked > asked + 20);
		release();
		await explained(host, web, /ready: it listens/);
		await client.close();
		expect(client.failed).toBe(0);
		expect([hasLeft(second), hasLeft(third)]).toEqual([false, false]);
	});

	test("is reached by it where others have its address, too, as rootless ones do", async () => {
		await using host = await openHost();
		const daemon = await host.edge.startDaemon();
		const one = await addPublished(host, "one", ROOTLESS, "rootlessport");
		const two = await addPublished(host, "two", ROOTLESS, "rootlessport");
		await one.serve();
		await two.serve();
		await joined(daemon, `web/${one.backend}`);
		await joined(daemon, `web/${two.backend}`);
		await answersAre(host.edge, "one", "two");
	});
});

describe.skipIf(skipPrivileged)("a container without a published port", () => {
	test("is told to publish it where no route leads to its address", async () => {
		await using host = await openHost();
		await host.edge.startDaemon();
		const far = await addContainer(host, "far", await namespaceAt(host, "far", FAR));
		await far.serve();
		// this machine has a default route, or none at all
		await explained(
			host,
			far,
			/waits for address \(web\): 198\.18\.7\.1[^\n]*; no port of the host leads to it either \(publish port 80 of the container\)/,
		);
	});

	test("is told to publish it where others have its address, too", async () => {
		await using host = await openHost();
		await host.edge.startDaemon();
		const containers: Placed[] = [];
		for (const name of ["one", "two"]) {
			const container = await addContainer(host, name, await namespaceAt(host, name, ROOTLESS));
			await container.serve();
			containers.push(container);
		}
		for (const container of containers) {
			await explained(
				host,
				container,
				/held up at address \(web\): 10\.0\.2\.100 belongs to another network namespace, too[^\n]*publish port 80/,
			);
		}
	});
});
