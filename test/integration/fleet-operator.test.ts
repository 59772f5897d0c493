import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { ask } from "../../src/cli/ask.js";
import { solistend } from "../host/daemon.js";
import { openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { openFleet, untilReady } from "../host/fleet.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

/** A command of solistend's, as a person runs it. */
async function run(config: string, ...words: string[]) {
	const [program, ...rest] = solistend(...words, "--config", config);
	return execa(program, rest, { reject: false, env: { NO_COLOR: "1" } });
}

describe.skipIf(skipPrivileged)("a fleet as its operator sees it", () => {
	test("is in status, and by host in status --fleet; a lost Redis is told, and healthz stays well", async () => {
		// with the shortest lease, a host that gets no time for a moment is doubtful
		await using fleet = await openFleet({ lease: "2s" });
		const { edge, redis } = fleet;
		await fleet.startEdge();
		const host = await fleet.addHost("one");
		await host.start();
		await host.serve(8001);
		await untilReady(edge, [host.at(8001)]);

		const { stdout } = await run(edge.config, "status", "--fleet");
		expect(stdout).toMatch(/^edge, fleet default: 1 other host with 1 backend; this one tells of \d+$/m);
		expect(stdout).toMatch(/^one +- +live +\d\.\d s +\d+\.\d ms +\d+ +\d+\.\d+\.\d+ +1$/m);
		const status = await ask(edge.socket, "GET", "/v1/status");
		expect(status.body).toMatchObject({
			fleet: { cluster: "default", host: "edge", registry: { state: "up" }, hosts: [{ host: "one", backends: 1 }] },
		});
		expect((await run(host.config, "status")).stdout).toMatch(
			/^fleet default: 1 other host with 0 backends; this one tells of 1$/m,
		);

		await redis.kill();
		const frozen = /^the registry is out of reach for \d+s, backends of other hosts stay as they are: /m;
		await eventually("status tells of it", async () => frozen.test((await run(edge.config, "status")).stdout));
		expect(await ask(edge.socket, "GET", "/healthz")).toEqual({ status: 200, body: { ok: true } });
	});

	test("gives a drained host no new work, forgets it when it is told again, and takes it back", async () => {
		await using fleet = await openFleet({ fleet: { lease: "2s" } });
		const { edge } = fleet;
		await fleet.startEdge();
		const [one, two] = [await fleet.addHost("one"), await fleet.addHost("two")];
		for (const host of [one, two]) {
			await host.start();
			await host.serve(8001);
		}
		await untilReady(edge, [one.at(8001), two.at(8001)]);

		const drained = await run(one.config, "drain-host");
		expect(drained).toMatchObject({
			exitCode: 0,
			stdout: expect.stringMatching(/^one {2}drained: .* its 1 backend no new/),
		});
		await untilReady(edge, [two.at(8001)]);
		expect((await run(edge.config, "status", "--fleet")).stdout).toMatch(/^one .* draining /m);
		expect((await run(one.config, "status")).stdout).toMatch(/^this host is drained: others send it no new work/m);

		await ask(one.socket, "POST", "/v1/drain-host", {});
		await eventually("the edge forgot it", async () => {
			const { body } = await ask(edge.socket, "GET", "/v1/status");
			return !JSON.stringify(body).includes('"host":"one"');
		});
		const undone = await run(one.config, "drain-host", "--undo");
		expect(undone).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^one {2}no longer drained: /) });
		await untilReady(edge, [one.at(8001), two.at(8001)]);
	});

	test("is none without a fleet: status --fleet and drain-host say so, with the mend", async () => {
		await using edge = await openEdge();
		await edge.startDaemon();
		for (const words of [["status", "--fleet"], ["drain-host"]]) {
			const { exitCode, stdout, stderr } = await run(edge.config, ...words);
			expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
			expect(stderr).toMatch(/this host is in no fleet.*\(name its Redis as fleet\.redis in the configuration/);
		}
		const { status, body } = await ask(edge.socket, "POST", "/v1/drain-host", { undo: "x" });
		expect({ status, body }).toEqual({ status: 400, body: { error: 'needs {"undo": true or false}' } });
	});
});
