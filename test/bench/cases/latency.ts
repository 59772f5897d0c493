/** How long HAProxy takes to follow one backend among others: by solistend, by the bare path, by its own checks. */

import { stat } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openEdge } from "../../host/edge.js";
import type { ConnectedNetns } from "../../host/netns.js";
import { beside, type Figure, type Section } from "../figure.js";
import { type App, startApp } from "../rig/app.js";
import { startDialogue } from "../rig/dialogue.js";
import { openPlainHaproxy } from "../rig/plain-haproxy.js";
import { type Place, type Probe, startProbe } from "../rig/probe.js";
import { percentile, summary } from "../statistics.js";

const RUNS = 200;
/** Between a change and the next: what came before has passed. */
const QUIET_MS = 40;
/** Between the probe's first look and the change. */
const LOOKING_MS = 3;
const PORT = 80;
const BARE = fileURLToPath(new URL("../bare.ts", import.meta.url));

/** A HAProxy and the application that it is to follow. */
interface Path {
	readonly port: number;
	readonly socket: string;
	readonly app: App;
	readonly address: string;
}

/** Milliseconds from the call to what it led to. */
interface Times {
	readonly toAnswer: number[];
	readonly toOut: number[];
	readonly toDrain: number[];
}

export async function latency(): Promise<Section> {
	const match = { port: PORT, netns: `slt-${process.pid}-web-*` };
	await using edge = await openEdge({ services: { web: { match } }, settings: { flap: false } });
	const { owned, segment, runtimeSocket } = edge;
	const probe = owned.own(await startProbe());
	const appIn = async (netns: ConnectedNetns) => {
		return owned.own(await startApp({ name: netns.name, netns, port: PORT, onSigterm: "stay" }));
	};

	const others = [await segment.addNetns("web-1"), await segment.addNetns("web-2")];
	for (const other of others) await (await appIn(other)).listen();
	const daemon = await edge.startDaemon();
	for (const { address } of others) await probe.server(runtimeSocket, "web", address, PORT, "in");
	const ours = await segment.addNetns("web-measured");
	const solistend: Path = { port: edge.port, socket: runtimeSocket, app: await appIn(ours), address: ours.address };

	const plain = async (name: string, check: string, state = ""): Promise<{ path: Path; netns: ConnectedNetns }> => {
		const netns = await segment.addNetns(name);
		const servers = others.map(({ address }, index) => `other${index} ${address}:${PORT} ${check}`);
		const haproxy = await openPlainHaproxy([...servers, `measured ${netns.address}:${PORT} ${check} ${state}`]);
		owned.own(haproxy);
		const path = { port: haproxy.port, socket: haproxy.runtimeSocket, app: await appIn(netns), address: netns.address };
		return { path, netns };
	};
	const { path: bare, netns: bareNetns } = await plain("bare", "", "disabled");
	const { ino } = await stat(`/run/netns/${bareNetns.name}`);
	const words = [process.execPath, "--import", "tsx", BARE, String(ino), String(PORT), bare.socket, "web/measured"];
	const watcher = owned.own(startDialogue(words));
	await watcher.next();

	const [viaSolistend, viaBare] = [newTimes(), newTimes()];
	for (let run = 0; run < RUNS; run++) {
		await joinAndLeave(probe, solistend, viaSolistend);
		await joinAndLeave(probe, bare, viaBare);
	}
	for (let run = 0; run < RUNS; run++) {
		await drain(probe, solistend, viaSolistend);
		await drain(probe, bare, viaBare);
		// as long as nobody drains, three times are enough to know
		if (run === 2 && viaSolistend.toDrain.length === 0) break;
	}
	await daemon.stop();

	const [viaDefault, viaFast] = [newTimes(), newTimes()];
	const { path: slow } = await plain("default", "check");
	for (let run = 0; run < 5; run++) await joinAndLeave(probe, slow, viaDefault, 2000);
	const { path: fast } = await plain("fast", "check inter 100ms fall 1 rise 1");
	for (let run = 0; run < 20; run++) await joinAndLeave(probe, fast, viaFast, 100);

	return {
		title: "One backend among others",
		text: `An application listens, closes, or gets a SIGTERM and stays, and notes the time just before the system call; another
process looks in a loop until HAProxy answers by it, or until its Runtime API says that the server is out or in drain.
Two other backends are in the pool, and each path has its own HAProxy. Bare is the sensor's event → one Runtime API command
with nothing between, in turns with solistend. Figures are p50 / p99 / max.`,
		figures: [
			...compared("listen() → first 200", 15, viaSolistend.toAnswer, viaBare.toAnswer),
			...checksBeside(viaSolistend.toAnswer, viaDefault.toAnswer, viaFast.toAnswer, 500),
			...compared("close() → out", 10, viaSolistend.toOut, viaBare.toOut),
			...checksBeside(viaSolistend.toOut, viaDefault.toOut, viaFast.toOut, 2000),
			...compared("SIGTERM → drain", 15, viaSolistend.toDrain, viaBare.toDrain),
		],
	};
}

const newTimes = (): Times => ({ toAnswer: [], toOut: [], toDrain: [] });

/** @param spreadMs waits up to so long before each change: a check may be due at any time */
async function joinAndLeave(probe: Probe, path: Path, times: Times, spreadMs = 0): Promise<void> {
	const quiet = () => pause(QUIET_MS + Math.random() * spreadMs);
	await quiet();
	const answered = probe.answered(path.port, path.app.name, 20_000);
	await pause(LOOKING_MS);
	const { firstMs } = await path.app.listen();
	times.toAnswer.push(seen("an answer", await answered) - firstMs);
	await quiet();
	times.toOut.push(await leave(probe, path));
}

async function drain(probe: Probe, path: Path, times: Times): Promise<void> {
	await path.app.listen();
	seen("it is in", await place(probe, path, "in"));
	await pause(QUIET_MS);
	const drained = place(probe, path, "drain", 500);
	await pause(LOOKING_MS);
	const { firstMs } = await path.app.terminate();
	const drainedMs = await drained;
	if (drainedMs !== undefined) times.toDrain.push(drainedMs - firstMs);
	await leave(probe, path);
	await pause(QUIET_MS);
}

/** Closes; milliseconds until it is out. */
async function leave(probe: Probe, path: Path): Promise<number> {
	const out = place(probe, path, "out", 20_000);
	await pause(LOOKING_MS);
	const { firstMs } = await path.app.shut();
	return seen("it is out", await out) - firstMs;
}

const place = (probe: Probe, { socket, address }: Path, where: Place, patienceMs = 20_000) =>
	probe.server(socket, "web", address, PORT, where, patienceMs);

function seen(what: string, atMs: number | undefined): number {
	if (atMs === undefined) throw new Error(`${what}: not seen`);
	return atMs;
}

/** Solistend's figure, and how it stands to the bare path. */
function compared(what: string, p99GoalMs: number, ours: readonly number[], bare: readonly number[]): Figure[] {
	if (ours.length === 0) return [{ what, measured: "never", goal: `p99 ≤ ${p99GoalMs} ms`, met: false }];
	const ratio = percentile(ours, 0.5) / percentile(bare, 0.5);
	const p99 = percentile(ours, 0.99);
	return [
		{
			what: `${what}, ${ours.length} times`,
			measured: summary(ours),
			goal: `p99 ≤ ${p99GoalMs} ms`,
			met: p99 <= p99GoalMs,
		},
		beside("– the bare path", summary(bare)),
		{ what: "– p50 beside the bare path", measured: `× ${ratio.toFixed(2)}`, goal: "≤ × 1.3", met: ratio <= 1.3 },
	];
}

function checksBeside(
	ours: readonly number[],
	slow: readonly number[],
	fast: readonly number[],
	timesFaster: number,
): Figure[] {
	const faster = percentile(slow, 0.5) / percentile(ours, 0.5);
	return [
		beside(`– HAProxy's checks, default, ${slow.length} times`, summary(slow)),
		beside(`– HAProxy's checks, inter 100ms fall 1 rise 1, ${fast.length} times`, summary(fast)),
		{
			what: "– p50, faster than default checks",
			measured: `× ${faster.toFixed(0)}`,
			goal: `≥ × ${timesFaster}`,
			met: faster >= timesFaster,
		},
	];
}
