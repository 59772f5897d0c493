/** Listeners that are up for less than the settle time, with proxies whose every change is a reload: they cost none. */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { type Application, startApplication } from "../host/application.js";
import { type Daemon, startDaemon } from "../host/daemon.js";
import { applied, type Edge, joined, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ip } from "../host/ip.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { addNetns, type Netns } from "../host/netns.js";
import { startNginx, wholeFile } from "../host/nginx.js";
import { freePort } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { rendered } from "../host/rendered.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

let owned: Lifetime;

beforeEach(() => {
	owned = lifetime();
});
afterEach(() => owned.close());

/** Long enough for a listener that comes and goes, also on a host with other things to do. */
const SETTLE = { quiet: "3s", max: "30s" };

/** So that what comes next is the first change after quiet, which is acted on at once. A reload begins it anew. */
const quiet = (daemon: Daemon) =>
	eventually("the daemon has been quiet", () => Date.now() - Date.parse(daemon.lines.at(-1)?.time ?? "") > 3300, {
		timeoutMs: 20_000,
	});

/** Opens and closes the listener a few times, each much shorter than the settle time; all of it is seen. */
async function flicker(application: Application, daemon: Daemon): Promise<void> {
	await quiet(daemon);
	for (let i = 0; i < 3; i++) {
		const from = daemon.lines.length;
		await application.tell("listen");
		// else it may come and go within one batch of events, and nobody hears of it
		await daemon.waitFor("listening", { from });
		await application.tell("close");
		await daemon.waitFor("closed", { from });
	}
}

/** An application that does not listen yet. */
async function quietApplication(name: string, netns: Netns): Promise<Application> {
	const application = owned.own(await startApplication({ name, netns, port: 80 }));
	await application.tell("close");
	return application;
}

/** What was applied, without what only let the file follow. */
const reloads = (daemon: Daemon) => applied(daemon).filter(({ reload }) => reload === true);

describe.skipIf(skipPrivileged)("a listener that is up for a moment", () => {
	test("costs HAProxy without a runtime socket no reload, neither alone nor beside others; one that stays, one", async () => {
		const edge: Edge = owned.own(
			await openEdge({ proxy: { runtimeSocket: undefined }, settings: { settle: SETTLE, flap: false } }),
		);
		const [blue, green] = [await edge.segment.addNetns("blue"), await edge.segment.addNetns("green")];
		const application = await quietApplication("blue", blue);
		const daemon = await edge.startDaemon();
		await flicker(application, daemon);
		const other = await quietApplication("green", green);
		await other.tell("listen");
		await flicker(application, daemon);
		await joined(daemon, `web/${green.address}:80`);
		expect(reloads(daemon)).toMatchObject([{ joined: [`web/${green.address}:80`], left: [] }]);
		expect(await edge.written()).not.toContain(blue.address);
	});

	test("costs Nginx no reload; one that stays, one", async () => {
		const { path: folder } = owned.own(await tempFolder());
		const port = await freePort();
		const output = join(folder, "conf.d", "nginx.conf");
		await mkdir(join(folder, "conf.d"));
		const config = join(folder, "solistend.yaml");
		const [blue, green] = [owned.own(await addNetns("blue")), owned.own(await addNetns("green"))];
		await ip(["addr add 198.18.9.1/32 dev lo"], blue.name);
		await ip(["addr add 198.18.9.2/32 dev lo"], green.name);
		const proxy = { name: "edge", reloadInterval: "100ms", ...wholeFile(folder, output, port) };
		await writeFile(
			config,
			stringify({
				services: { web: { match: { port: 80, netns: `slt-${process.pid}-*` }, lastGrace: "0s" } },
				proxies: [proxy],
				addresses: ["198.18.9.0/24"],
				settle: SETTLE,
				flap: false,
				admin: { socket: join(folder, "admin.sock") },
			}),
		);
		await writeFile(output, await rendered(config));
		owned.own(await startNginx(folder, output));
		const application = await quietApplication("blue", blue);
		const daemon = owned.own(startDaemon({ config }));
		await daemon.waitFor("ready", { timeoutMs: 20_000 });
		await flicker(application, daemon);
		const other = await quietApplication("green", green);
		await other.tell("listen");
		await flicker(application, daemon);
		await joined(daemon, "web/198.18.9.2:80");
		expect(reloads(daemon)).toMatchObject([{ joined: ["web/198.18.9.2:80"], left: [] }]);
		expect(await readFile(output, "utf8")).not.toContain("198.18.9.1");
	});
});
