import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { HOOK_NAMES, type Hooks } from "../../src/sensor/hooks.js";
import { openKernel, PACKAGED_OBJECT } from "../../src/sensor/kernel.js";
import { solistend } from "../host/daemon.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { rawSocket } from "../host/raw-socket.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

/** Opens the object with other words in it, of the same length; what listens is found all the same. */
async function hooksWith(changes: Readonly<Record<string, string>>): Promise<Hooks> {
	await using folder = await tempFolder();
	const object = join(folder.path, "object.o");
	let text = readFileSync(PACKAGED_OBJECT, "latin1");
	for (const [from, to] of Object.entries(changes)) text = text.replaceAll(from, to);
	writeFileSync(object, text, "latin1");
	const kernel = openKernel(object);
	try {
		kernel.attach();
		using socket = rawSocket();
		expect([socket.bind(0), socket.listen(3)]).toEqual([0, 0]);
		expect(kernel.read().rows.map(({ port }) => port)).toContain(socket.port());
		return kernel.hooks();
	} finally {
		kernel.close();
	}
}

describe.skipIf(skipPrivileged)("the hooks", () => {
	test("of this kernel are those that it has, and where one is missing the kernel's own words say why", async () => {
		const hooks = await hooksWith({});
		for (const name of ["stopping", "freezing", "mptcp", "fullQueues"] as const) {
			expect([name, hooks[name].state]).toEqual([name, "available"]);
		}
		if (hooks.relisten.state !== "available")
			expect(hooks.relisten.why).toMatch(/fexit\/inet_listen: .+kprobe\/inet_listen: .+/);
	});

	test("that the kernel does not have are each left out by themselves", async () => {
		const hooks = await hooksWith({
			"tp_btf/signal_generate": "tp_btf/signal_generatX",
			"tp_btf/cgroup_notify_frozen": "tp_btf/cgroup_notify_frozeX",
		});
		expect(hooks.stopping).toMatchObject({ state: "not supported", why: expect.stringContaining("signal_generatX") });
		expect(hooks.freezing).toMatchObject({ state: "not supported", why: expect.stringContaining("frozeX") });
		expect(hooks.fullQueues.state).toBe("available");
		expect(hooks.mptcp.state).toBe("available");
	});

	test("that need a type which the kernel does not have are left out, and sockets are found without", async () => {
		const hooks = await hooksWith({ mptcp_sock: "mptcp_socX" });
		expect(hooks.mptcp.state).toBe("not supported");
		expect(hooks.stopping.state).toBe("available");
	});

	test("are each shown by doctor, with what it gives or what it costs to lack it", async () => {
		const [command, ...words] = solistend("doctor", "--json");
		const { stdout } = await execa(command, words, { reject: false });
		const findings: { name: string; state: string; detail: string }[] = JSON.parse(stdout);
		const hooks = findings.filter(({ name }) => name.startsWith("hook "));
		expect(hooks.length).toBe(3 + HOOK_NAMES.length);
		for (const { state, detail } of hooks) {
			if (state === "ok") expect(detail).not.toBe("");
			else expect(detail).toMatch(/^(not supported|failed): .+ \(.+\)$/);
		}
	});
});

/** Opens the object twice, or until signals came meanwhile. */
const INTERRUPTED = `
import { openKernel } from ${JSON.stringify(new URL("../../build/sensor/kernel.js", import.meta.url).href)};
let signals = 0;
process.on("SIGUSR2", () => signals++);
process.stdout.write("ready\\n");
// whoever sends them begins in its own time, and may pause
while (signals === 0) await new Promise((resolve) => setTimeout(resolve, 1));
const before = signals;
for (let i = 0; i < 2 || signals === before; i++) {
	const kernel = openKernel();
	kernel.attach();
	kernel.seed();
	kernel.read();
	kernel.close();
	await new Promise((resolve) => setImmediate(resolve));
}
console.log("interrupted");
`;

test.skipIf(skipPrivileged)("the object is loaded under signals that never cease", async () => {
	const loading = execa(process.execPath, ["--input-type=module", "-e", INTERRUPTED], { reject: false });
	const { pid } = loading;
	const flood = "select undef, undef, undef, 0.001 while kill USR2 => $ARGV[0]";
	await new Promise((resolve) => loading.stdout.once("data", resolve));
	const flooding = execa("perl", ["-e", flood, String(pid)]);
	// one that comes when Node has let go of its handler ends it; all is said by then
	const { stdout } = await loading;
	await flooding;
	expect(stdout).toContain("interrupted");
});
