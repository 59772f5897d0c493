/** One proxy, kept equal by its driver and loop to what a test desires: no sensor, no daemon. */

import { isDeepStrictEqual } from "node:util";
import { pino } from "pino";
import type { Backend, BackendRef, DesiredService, DesiredSet } from "../../src/backends/backend.js";
import type { ProxyConfig } from "../../src/config/schema.js";
import type { OperatorChange } from "../../src/proxies/driver.js";
import { openLoop, type ProxyStatus } from "../../src/proxies/loop.js";
import { openDriver, renderProxy } from "../../src/proxies/open.js";
import { proxyConfig as anyProxy, backend as backendOf, PACKAGED, service as serviceOf } from "../desired.js";
import { eventually } from "./eventually.js";

export type Line = Readonly<Record<string, unknown>>;

export interface Followed extends AsyncDisposable {
	readonly status: ProxyStatus;
	/** What the loop logged so far. */
	readonly lines: readonly Line[];
	/** Changes what is desired; resolves with the line that says what became of it. */
	change(services: DesiredSet, message?: string): Promise<Line>;
	/** The same, naming the backends that changed: by the fast lane, where the proxy has one. */
	changeFast(services: DesiredSet, message?: string): Promise<Line>;
	/** The same, without waiting for what becomes of it. */
	touch(services: DesiredSet): void;
	/** What persons told the proxy itself, as the loop found it. */
	readonly operator: readonly OperatorChange[];
	/** The first line with this message, from an index on. */
	untilLine(message: string, from?: number): Promise<Line>;
	untilState(state: ProxyStatus["state"]): Promise<void>;
	/** As the resync does. */
	look(): void;
	close(): Promise<void>;
}

/** Opens a driver and its loop, and resolves when it has looked at the proxy once. */
export async function follow(proxy: ProxyConfig, desired: DesiredSet): Promise<Followed> {
	const lines: Line[] = [];
	const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
	const driver = await openDriver(proxy, "h", PACKAGED);
	let now = desired;
	const backend = ({ service, id }: BackendRef) =>
		now.find(({ name }) => name === service)?.backends.find((one) => one.id === id);
	const operator: OperatorChange[] = [];
	const loop = openLoop({
		proxy,
		driver,
		desired: () => now,
		backend,
		onOperator: (changes) => operator.push(...changes),
		settle: { quiet: 20, max: 200 },
		log,
	});
	const look = () => loop.notify({ atMs: performance.now(), removal: false, touched: undefined });
	const touch = (services: DesiredSet) => {
		const before = now;
		now = services;
		loop.notify({ atMs: performance.now(), removal: false, touched: differing(before, now) });
	};
	const untilLine = (message: string, from = 0) =>
		eventually(
			`"${message}" is logged after ${JSON.stringify(lines.slice(from))}`,
			() => lines.slice(from).find(({ msg }) => msg === message),
			{ timeoutMs: 20_000, everyMs: 2 },
		);
	await eventually("the proxy was looked at", () => loop.status.state !== "starting", {
		timeoutMs: 20_000,
		everyMs: 2,
	});
	return {
		get status() {
			return loop.status;
		},
		lines,
		change(services, message = "applied") {
			const from = lines.length;
			now = services;
			look();
			return untilLine(message, from);
		},
		touch,
		changeFast(services, message = "applied") {
			const from = lines.length;
			touch(services);
			return untilLine(message, from);
		},
		operator,
		untilLine,
		async untilState(state) {
			await eventually(`the proxy is ${state}`, () => loop.status.state === state, { timeoutMs: 20_000, everyMs: 2 });
		},
		look,
		close: loop.close,
		[Symbol.asyncDispose]: loop.close,
	};
}

/** The backends that are not the same in both. */
function differing(before: DesiredSet, after: DesiredSet): BackendRef[] {
	const byName = (set: DesiredSet) =>
		new Map(set.flatMap(({ name, backends }) => backends.map((one) => [`${name}/${one.id}`, one] as const)));
	const [old, next] = [byName(before), byName(after)];
	return [...new Map([...old, ...next])].flatMap(([name, { service, id }]) =>
		isDeepStrictEqual(old.get(name), next.get(name)) ? [] : [{ service, id }],
	);
}

/** A proxy's configuration, with all other defaults; it may be reloaded at any time. */
export const proxyConfig = (settings: Record<string, unknown>): ProxyConfig =>
	anyProxy({ reloadInterval: "0s", ...settings });

/** What would be written for a desired set. */
export const rendered = (proxy: ProxyConfig, desired: DesiredSet) => renderProxy(proxy, "h", PACKAGED, desired);

/** A service with backends on these ports of 127.0.0.1. */
export function service(name: string, ports: readonly number[], rest: Partial<DesiredService> = {}): DesiredService {
	return serviceOf(
		name,
		ports.map((port) => backend(name, port)),
		rest,
	);
}

export const backend = (service: string, port: number, rest: Partial<Backend> = {}): Backend =>
	backendOf(service, "127.0.0.1", port, rest);
