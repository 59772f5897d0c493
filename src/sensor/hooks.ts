/**
 * The optional programs: what each gives, and what it costs to do without. Which are in use is found by trying: loaded,
 * then attached. Knows nothing of libbpf.
 */

/** One thing that the sensor can do without. */
export type HookName = "stopping" | "freezing" | "relisten" | "mptcp" | "fullQueues";

/** Whether a hook is in use, and by which of its ways; else whether the kernel lacks it or refused it, in its own words. */
export type HookState =
	| { readonly state: "available"; readonly by: string }
	| { readonly state: "not supported" | "failed"; readonly why: string };

export type Hooks = Readonly<Record<HookName, HookState>>;

/** One way to have a hook: the place in the kernel, and the programs of `bpf/` that have to be attached there. */
export interface HookWay {
	readonly place: string;
	readonly programs: readonly [string, ...string[]];
}

export interface Hook {
	/** What it tells. */
	readonly gives: string;
	/** What happens without it. */
	readonly lack: string;
	/** Whether nobody need care: many kernels lack it, and no backend is judged by it. */
	readonly isMinor?: true;
	/** The best first. */
	readonly ways: readonly [HookWay, ...HookWay[]];
}

export const HOOKS: Readonly<Record<HookName, Hook>> = {
	stopping: {
		gives: "stop signals, SIGSTOP and SIGCONT",
		lack: "a backend that is told to stop is not drained before it closes, and one that gets SIGSTOP is noticed by a read",
		ways: [{ place: "tp_btf/signal_generate", programs: ["watch_signals"] }],
	},
	freezing: {
		gives: "paused containers",
		lack: "a container that is paused is noticed by a read, not at once",
		ways: [{ place: "tp_btf/cgroup_notify_frozen", programs: ["watch_freezer"] }],
	},
	mptcp: {
		gives: "MPTCP sockets that listened before",
		lack: "an MPTCP socket that listened before the start is not found",
		ways: [{ place: "iter/task_file with mptcp_sock", programs: ["seed"] }],
	},
	fullQueues: {
		gives: "full accept queues",
		lack: "a process that listens and no longer accepts is not noticed",
		ways: [{ place: "iter/bpf_map_elem of full queues", programs: ["full_queues"] }],
	},
	relisten: {
		gives: "another backlog of a socket that listens",
		lack: "another backlog is noticed by a read",
		isMinor: true,
		ways: [
			{ place: "fexit/inet_listen", programs: ["watch_relisten"] },
			{ place: "kprobe/inet_listen", programs: ["enter_listen", "leave_listen"] },
		],
	},
};

/** Every hook, in the order in which they are shown. */
export const HOOK_NAMES = [
	"stopping",
	"freezing",
	"mptcp",
	"fullQueues",
	"relisten",
] as const satisfies readonly HookName[];

/** Every program that may be missing. */
export const OPTIONAL_PROGRAMS: readonly string[] = Object.values(HOOKS).flatMap(({ ways }) =>
	ways.flatMap(({ programs }) => programs),
);

/** Why a program is not in use. */
export interface Refusal {
	/** True when the kernel has no such place; false when it has, and refused. */
	readonly isLack: boolean;
	readonly why: string;
}

/**
 * Takes the first way of which every program works.
 *
 * @param attempt attaches the program, or says why it is not to be had
 */
export function choose(hook: Hook, attempt: (program: string) => Refusal | undefined): HookState {
	const refusals: (Refusal & { readonly place: string })[] = [];
	for (const { place, programs } of hook.ways) {
		const refusal = firstRefusal(programs, attempt);
		if (refusal === undefined) return { state: "available", by: place };
		refusals.push({ place, ...refusal });
	}
	const state = refusals.every(({ isLack }) => isLack) ? "not supported" : "failed";
	const whys = refusals.map(({ place, why }) => (hook.ways.length > 1 ? `${place}: ${why}` : why));
	return { state, why: whys.join("; ") };
}

function firstRefusal(
	programs: readonly string[],
	attempt: (program: string) => Refusal | undefined,
): Refusal | undefined {
	for (const program of programs) {
		const refusal = attempt(program);
		if (refusal !== undefined) return refusal;
	}
	return undefined;
}
