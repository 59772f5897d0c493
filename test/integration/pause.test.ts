import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PauseEvent, Read, SocketEvent } from "../../src/listeners/event.js";
import { openKernel } from "../../src/sensor/kernel.js";
import { openSensor, type Sensor } from "../../src/sensor/sensor.js";
import { addContainerCgroup, type Cgroup } from "../host/cgroup.js";
import { eventually } from "../host/eventually.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { type Process, startProcess } from "../host/process.js";

requirePrivileges();

let sensor: Sensor;
let pauses: PauseEvent[];
let sockets: SocketEvent[];
let reads: Read[];
beforeEach(() => {
	pauses = [];
	sockets = [];
	reads = [];
	sensor = openSensor({
		onEvents(events) {
			for (const event of events) {
				if (event.kind === "paused" || event.kind === "resumed") pauses.push(event);
				else if ("listener" in event) sockets.push(event);
			}
		},
		onRead: (read) => reads.push(read),
		onTrouble: () => undefined,
	});
});
afterEach(() => sensor.close());

/** The row of a process's listener, as a read from now on has it. */
async function rowOf(pid: number) {
	const before = reads.length;
	sensor.requestRead();
	await eventually("a read", () => reads.length > before);
	return reads.at(-1)?.rows.find((row) => row.pid === pid);
}

/** Told, or read where its namespace, which is the host's, has too many events of others. */
const listens = (pid: number) =>
	eventually("it listens", () =>
		[...sockets.map(({ listener }) => listener), ...(reads.at(-1)?.rows ?? [])].find((row) => row.pid === pid),
	);

const bySignal = (pid: number) =>
	pauses.filter(({ whom }) => whom.by === "signal" && whom.pid === pid).map(({ kind }) => kind);

const byFreezer = (cgroupId: string) =>
	pauses.filter(({ whom }) => whom.by === "freezer" && whom.cgroupId === cgroupId).map(({ kind }) => kind);

/** Listens, and prints its port; `extra` runs before it waits. */
const server = (extra = "", before: readonly string[] = []): Process =>
	startProcess([
		...before,
		"perl",
		"-MIO::Socket::INET",
		"-e",
		`my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die $@; ${extra} sleep 1 while 1`,
	]);

/** What `setpriv` and `exec` kept: the process itself. */
const stateOf = (pid: number) => /^State:\t(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];

describe.skipIf(skipPrivileged)("a process that gets SIGSTOP", () => {
	test("is told as paused, and as resumed at SIGCONT; a read in between has it, too", async () => {
		await using process = server();
		const { pid } = process;
		await listens(pid);
		expect((await rowOf(pid))?.paused).toBeUndefined();
		process.signal("SIGSTOP");
		await eventually("paused", () => bySignal(pid).length === 1);
		const row = await rowOf(pid);
		expect(row?.paused).toBe("signal");
		process.signal("SIGCONT");
		await eventually("resumed", () => bySignal(pid).length === 2);
		expect(bySignal(pid)).toEqual(["paused", "resumed"]);
		expect((await rowOf(pid))?.paused).toBeUndefined();
		const [listen] = sockets.filter(({ listener }) => listener.pid === pid);
		expect(pauses.find(({ whom }) => whom.by === "signal" && whom.pid === pid)?.atNs).toBeGreaterThan(
			listen?.listener.atNs ?? Number.POSITIVE_INFINITY,
		);
	});

	test("over and over is told once, until it goes on", async () => {
		await using process = server("$SIG{CONT} = 'IGNORE';");
		const { pid } = process;
		await listens(pid);
		for (let i = 0; i < 3; i++) process.signal("SIGSTOP");
		process.signal("SIGCONT");
		process.signal("SIGCONT");
		process.signal("SIGSTOP");
		await eventually("paused again", () => bySignal(pid).filter((kind) => kind === "paused").length >= 2);
		// The second SIGCONT is told, too, where the process has not run since the first one: harmless, and as it may be.
		expect(bySignal(pid).join(" ")).toMatch(/^paused resumed (resumed )?paused$/);
		process.signal("SIGCONT");
	});

	test("is not told where it has children, which may go on accepting", async () => {
		await using process = server("fork // die;");
		await using other = server();
		const { pid } = process;
		await listens(pid);
		await listens(other.pid);
		const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
		await eventually("it has a child", () => children() !== "");
		process.signal("SIGSTOP");
		other.signal("SIGSTOP");
		await eventually("the other one is paused", () => bySignal(other.pid).length === 1);
		expect(bySignal(pid)).toEqual([]);
		await eventually("it is stopped", () => stateOf(pid) === "T");
		expect((await rowOf(pid))?.paused).toBeUndefined();
		process.signal("SIGCONT");
		other.signal("SIGCONT");
	});

	test("before the sensor started is found by the first read, and its SIGCONT is told", async () => {
		await using process = server();
		await using follower = server();
		const { pid } = process;
		await listens(pid);
		await listens(follower.pid);
		process.signal("SIGSTOP");
		await eventually("it is stopped", () => stateOf(pid) === "T");
		const later = openKernel();
		try {
			later.seed();
			expect(later.read().rows.find((row) => row.pid === pid)?.paused).toBe("signal");
			expect(later.read().rows.find((row) => row.pid === follower.pid)?.paused).toBeUndefined();
		} finally {
			later.close();
		}
		const laterPauses: PauseEvent[] = [];
		const laterSensor = openSensor({
			onEvents: (events) => {
				for (const event of events) if (event.kind === "paused" || event.kind === "resumed") laterPauses.push(event);
			},
			onRead: () => undefined,
			onTrouble: () => undefined,
		});
		try {
			process.signal("SIGCONT");
			await eventually("resumed", () =>
				laterPauses.some(({ kind, whom }) => kind === "resumed" && "pid" in whom && whom.pid === pid),
			);
		} finally {
			await laterSensor.close();
		}
	});

	test("and is killed leaves a socket that another process has, and that is not paused", async () => {
		await using process = server(
			"if (fork // die) { wait; syswrite STDOUT, qq(left\\n) } elsif (fork // die) { exit }",
		);
		const { pid } = process;
		const { socket } = await listens(pid);
		await eventually("its child has left a grandchild", () => process.lastLines().includes("left"));
		process.signal("SIGSTOP");
		await eventually("paused", () => bySignal(pid).length === 1);
		expect((await rowOf(pid))?.paused).toBe("signal");
		process.signal("SIGKILL");
		await process.exited;
		const row = await rowOf(pid);
		expect(row?.socket).toBe(socket);
		expect(row?.paused).toBeUndefined();
	});

	test("and does not listen is not told", async () => {
		await using idler = startProcess(["sleep", "60"]);
		await using process = server();
		await listens(process.pid);
		idler.signal("SIGSTOP");
		idler.signal("SIGCONT");
		process.signal("SIGSTOP");
		await eventually("paused", () => bySignal(process.pid).length === 1);
		expect(bySignal(idler.pid)).toEqual([]);
		process.signal("SIGCONT");
	});
});

describe.skipIf(skipPrivileged)("a cgroup that is frozen", () => {
	let cgroup: Cgroup;
	beforeEach(async () => {
		cgroup = await addContainerCgroup(`${process.pid}pause`);
	});
	afterEach(() => cgroup.close());

	test("is told as paused, and as resumed when it thaws; a read in between has it, too", async () => {
		await using process = server("", cgroup.enter);
		const { cgroupId } = await listens(process.pid);
		await cgroup.freeze();
		await eventually("paused", () => byFreezer(cgroupId).length === 1);
		expect((await rowOf(process.pid))?.paused).toBe("freezer");
		await cgroup.thaw();
		await eventually("resumed", () => byFreezer(cgroupId).length === 2);
		expect(byFreezer(cgroupId)).toEqual(["paused", "resumed"]);
		expect((await rowOf(process.pid))?.paused).toBeUndefined();
	});

	test("before the sensor started is found by the first read", async () => {
		await using process = server("", cgroup.enter);
		const { cgroupId } = await listens(process.pid);
		await cgroup.freeze();
		await eventually("all of it is frozen", () => byFreezer(cgroupId).length === 1);
		const later = openKernel();
		try {
			later.seed();
			expect(later.read().rows.find((row) => row.pid === process.pid)?.paused).toBe("freezer");
			await cgroup.thaw();
			await eventually("a read has it running", () =>
				later.read().rows.some((row) => row.pid === process.pid && row.paused === undefined),
			);
		} finally {
			later.close();
			await cgroup.thaw();
		}
	});

	test("in which nobody listens is not told", async () => {
		await using other = await addContainerCgroup(`${process.pid}idle`);
		await using idler = startProcess([...other.enter, "sleep", "60"]);
		await using listening = server("", cgroup.enter);
		const { cgroupId } = await listens(listening.pid);
		await other.freeze();
		await other.thaw();
		await cgroup.freeze();
		await eventually("paused", () => byFreezer(cgroupId).length === 1);
		await cgroup.thaw();
		expect(pauses.filter(({ whom }) => whom.by === "freezer" && whom.cgroupId !== cgroupId)).toEqual([]);
		await idler.close();
	});
});
