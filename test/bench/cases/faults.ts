/** One of three backends fails while clients ask: what each kind of fault costs them, by solistend and by SYN checks. */

import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { addContainerCgroup, type Cgroup } from "../../host/cgroup.js";
import { idOf } from "../../host/engine-server.js";
import { eventually } from "../../host/eventually.js";
import { lifetime } from "../../host/lifetime.js";
import { kill } from "../../host/process.js";
import { HAPROXY } from "../../host/programs.js";
import { beside, type Figure, type Section } from "../figure.js";
import { haproxyBySolistend, haproxyChecking, type Opener, type ServedByHaproxy, WORK_US } from "../rig/edges.js";
import { type Member, PORT } from "../rig/fleet.js";
import { startLoad } from "../rig/load.js";
import { type Outage, outageOf } from "../rig/outage.js";
import { monotonicMs, startProbe } from "../rig/probe.js";
import { ms } from "../statistics.js";

const BACKENDS = 3;
const PER_SECOND = 500;
const MOST_SECONDS = 60;
const BEFORE_MS = 1000;
/** From when the server is out to the last request, at least. */
const AFTER_MS = 1000;
/** From the beginning of a fault: what is asked in it has to wait, or not. */
const WINDOW_MS = 3000;
/** Whoever has not noticed by then does not. */
const PATIENCE_MS = 12_000;
/** What a listener has where nobody chose another; it is full soon after the process hangs. */
const BACKLOG = 128;
/** The same for all: a request that gets no answer has failed after this time. */
const BACKEND_LINES = ["timeout server 2s"];
const OUT_GOAL_MS = 15;
const HUNG_AFTER_MS = 3000;
/** Queues are looked at so often: the first look that finds one full may come so much later. */
const HUNG_LOOKS_MS = 1000;

/** What a kind of fault may cost: no request; those that are in its hands when it dies; or those that it has taken. */
type Allowed = "none" | "broken" | "taken";

interface Fault {
	readonly name: string;
	readonly allowed: Allowed;
	/** Makes it so; resolves with the time of the event. */
	begin(member: Member, cgroup: Cgroup): Promise<number>;
}

/** Notes the time, then acts. */
const now = async (act: () => unknown): Promise<number> => {
	const atMs = monotonicMs();
	await act();
	return atMs;
};

const FAULTS: readonly Fault[] = [
	{ name: "the process exits", allowed: "broken", begin: async ({ app }) => (await app.exit()).firstMs },
	{ name: "SIGKILL", allowed: "broken", begin: ({ app }) => now(() => kill(app.pid, "SIGKILL")) },
	{
		name: "the listener closes, the process lives",
		allowed: "none",
		begin: async ({ app }) => (await app.shut()).firstMs,
	},
	{ name: "SIGTERM", allowed: "none", begin: ({ app }) => now(() => kill(app.pid, "SIGTERM")) },
	{
		name: "the namespace is deleted",
		allowed: "broken",
		async begin({ app, netns }) {
			const atMs = monotonicMs();
			kill(app.pid, "SIGKILL");
			await netns.close();
			return atMs;
		},
	},
	{ name: "paused (cgroup freezer)", allowed: "taken", begin: (_member, cgroup) => now(cgroup.freeze) },
	{ name: "SIGSTOP", allowed: "taken", begin: ({ app }) => now(() => kill(app.pid, "SIGSTOP")) },
	{
		name: "hung",
		allowed: "taken",
		async begin({ app }) {
			await app.hang();
			await eventually("its accept queue is full", () => isFull(app.pid), { everyMs: 2 });
			return monotonicMs();
		},
	},
];

const WAYS: readonly { readonly title: string; readonly isOurs: boolean; readonly open: Opener<ServedByHaproxy> }[] = [
	{ title: "solistend", isOurs: true, open: haproxyBySolistend(HAPROXY, BACKEND_LINES) },
	{ title: "– default checks", isOurs: false, open: haproxyChecking("check", BACKEND_LINES) },
	{
		title: "– inter 100ms fall 1 rise 1",
		isOurs: false,
		open: haproxyChecking("check inter 100ms fall 1 rise 1", BACKEND_LINES),
	},
];

export async function faults(): Promise<Section> {
	const figures: Figure[] = [];
	for (const fault of FAULTS) {
		for (const { title, isOurs, open } of WAYS) {
			const outage = await suffer(open, fault);
			const what = `${fault.name}: ${title}`;
			figures.push(isOurs ? judged(what, fault, outage) : beside(`${title}: ${fault.name}`, measured(outage, fault)));
		}
	}
	return {
		title: `One of ${BACKENDS} backends fails`,
		text: `A client asks ${PER_SECOND} times a second over a new connection each; each application works ${WORK_US / 1000} ms on a request. After
${BEFORE_MS / 1000} s one of them fails. Out: from the event (of the hung one: from when its accept queue of ${BACKLOG} is full) until HAProxy's
Runtime API says that the server takes no more requests, or is DOWN. Failed is every answer but 200; \`timeout server\` is
2 s everywhere, so that one who never answers is an answer 504. In flight, counted apart: HAProxy answered 502, so it had a
connection to the process when that ended. Taken, of the paused, stopped and hung one: what was asked before it was out. The
kernel goes on accepting for these, so that a SYN check finds nothing until their queue is full. All with ${WAYS.length} ways to know:
solistend, HAProxy's default checks (\`check\`), and \`check inter 100ms fall 1 rise 1\`; p99 is of what is asked in the
first ${WINDOW_MS / 1000} s of a fault.`,
		figures,
	};
}

async function suffer(open: Opener<ServedByHaproxy>, fault: Fault): Promise<Outage> {
	await using owned = lifetime();
	const cgroup = owned.own(await addContainerCgroup(idOf(`faults ${process.pid}`)));
	const { fleet, port, runtimeSocket } = await open(owned, BACKENDS, { backlog: BACKLOG, cgroup });
	const [member] = fleet.members;
	if (member === undefined) throw new Error("no backend");
	const probe = owned.own(await startProbe());
	const load = await startLoad(port, PER_SECOND, MOST_SECONDS * PER_SECOND);
	await pause(BEFORE_MS);
	const seen = probe.server(runtimeSocket, "web", member.netns.address, PORT, "drain", PATIENCE_MS);
	const beganMs = monotonicMs();
	const eventMs = await fault.begin(member, cgroup);
	const seenMs = await seen;
	await pause(Math.max(AFTER_MS, beganMs + WINDOW_MS - monotonicMs()));
	load.stop();
	const { requests } = await load.ended;
	return outageOf(requests, { beganMs, eventMs, seenMs }, WINDOW_MS);
}

/** Whether connections wait for the process, and no more are let in: `/proc/PID/net/tcp` has a listener's queue as rx_queue. */
async function isFull(pid: number): Promise<boolean> {
	const rows = (await readFile(`/proc/${pid}/net/tcp`, "utf8")).split("\n").map((row) => row.trim().split(/\s+/));
	const listener = rows.find(([, , , state]) => state === "0A");
	return Number.parseInt(listener?.[4]?.split(":")[1] ?? "0", 16) > BACKLOG;
}

function measured({ failed, broken, late, outMs, p99 }: Outage, { allowed }: Fault): string {
	const apart = {
		none: `${failed} failed`,
		broken: `${failed - broken} failed, ${broken} in flight`,
		taken: `${late} failed, ${failed - late} taken`,
	};
	const out = outMs === undefined ? `not out within ${PATIENCE_MS / 1000} s` : `out after ${ms(outMs)}`;
	return `${out}; ${apart[allowed]}, p99 ${ms(p99)}`;
}

function judged(what: string, fault: Fault, outage: Outage): Figure {
	const { failed, broken, late, outMs } = outage;
	const unexcused = { none: failed, broken: failed - broken, taken: late }[fault.allowed];
	const mostMs = fault.name === "hung" ? HUNG_AFTER_MS + HUNG_LOOKS_MS + OUT_GOAL_MS : OUT_GOAL_MS;
	return {
		what,
		measured: measured(outage, fault),
		goal: `out ≤ ${mostMs} ms, 0 failed`,
		met: unexcused === 0 && outMs !== undefined && outMs <= mostMs,
	};
}
