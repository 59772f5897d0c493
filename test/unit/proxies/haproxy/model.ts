/** HAProxy in memory, for the tests of what is planned for it. */

import { expect } from "vitest";
import type { DesiredSet } from "../../../../src/backends/backend.js";
import { afterStep } from "../../../../src/proxies/haproxy/commands.js";
import { parseDeclared } from "../../../../src/proxies/haproxy/declared.js";
import type { Live, LiveServer, LiveServers } from "../../../../src/proxies/haproxy/live.js";
import type { HaproxyActual, HaproxyStep } from "../../../../src/proxies/haproxy/plan.js";
import { renderHaproxy } from "../../../../src/proxies/haproxy/rendering.js";
import { loadTemplate } from "../../../../src/proxies/render.js";
import { PACKAGED, proxyConfig } from "../../../desired.js";

const template = await loadTemplate("haproxy-backends.cfg.hbs", PACKAGED);

export type Known = Extract<Live, { state: "known" }>;

export const known = (servers: LiveServers, version: Known["version"] = [2, 6], worker = "1/1"): Known => ({
	state: "known",
	worker,
	version,
	servers,
});

/** A new worker that has just read a file. */
export function started(text: string, version?: Known["version"], worker?: string): Known {
	const servers = new Map(
		[...parseDeclared(text).backends].map(([name, of]) => [
			name,
			new Map(
				[...of].map(([server, { address = "127.0.0.9:9", weight = 1, disabled, options }]): [string, LiveServer] => [
					server,
					{
						address,
						weight,
						admin: disabled ? "maint" : "ready",
						running: !disabled,
						checks: / check\b/.test(options) ? "on" : "none",
					},
				]),
			),
		]),
	);
	return known(servers, version, worker);
}

export const NOTHING: HaproxyActual = { file: { confirmed: true }, live: { state: "unknown" } };

export function render(
	actual: HaproxyActual,
	desired: DesiredSet,
	settings: Record<string, unknown> = {},
	refused?: ReadonlySet<string>,
) {
	return renderHaproxy({ proxy: proxyConfig(settings), host: "h", template }, actual, desired, refused);
}

/** HAProxy as a model: a command changes a server, a write the file, a reload makes a new worker that reads it. */
export function carryOut(actual: HaproxyActual, steps: readonly HaproxyStep[]): HaproxyActual {
	let { file, live } = actual;
	for (const step of steps) {
		switch (step.kind) {
			case "write":
				file = { ...file, text: step.text };
				break;
			case "reload":
				file = { ...file, confirmed: true };
				if (live.state === "known") live = started(file.text ?? "", live.version, `${live.worker}+`);
				break;
			default: {
				if (live.state !== "known") throw new Error("commands need somebody to take them");
				const of = new Map(live.servers.get(step.backend));
				const before = of.get(step.server);
				expect(before === undefined, `${step.kind} ${step.backend}/${step.server}`).toBe(step.kind === "add");
				if (step.kind === "delete") expect(before?.admin).toBe("maint");
				if (step.kind === "add") expect(live.version[0]).toBeGreaterThanOrEqual(3);
				const after = afterStep(before, step);
				if (after === undefined) of.delete(step.server);
				else of.set(step.server, after);
				live = { ...live, servers: new Map([...live.servers, [step.backend, of]]) };
			}
		}
	}
	return { file, live };
}
