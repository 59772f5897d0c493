import { describe, expect, test } from "vitest";
import type { DaemonUser } from "../../../../src/cli/doctor/daemon-user.js";
import { judgeProc } from "../../../../src/cli/doctor/proc-finding.js";

const user = (groups: readonly number[], settings: Readonly<Record<string, string>> = {}): DaemonUser => ({
	name: "solistend",
	uid: 990,
	groups,
	isSelf: false,
	unit: new Map(Object.entries(settings).map(([name, value]) => [name, [value]])),
});

const mounted = (options: string) =>
	`22 27 0:21 / /proc rw,relatime - proc proc rw\n30 22 0:21 /sys /proc/sys ro - proc proc rw\n41 22 0:51 / /proc rw shared:4 - proc proc ${options}\n`;

describe("/proc", () => {
	test("shows all where it is mounted as usual", () => {
		expect(judgeProc(mounted("rw"), user([990]), false)).toMatchObject({ state: "ok", detail: "shows all processes" });
		expect(judgeProc(mounted("rw,hidepid=off"), user([990]), false).state).toBe("ok");
		expect(judgeProc(mounted("rw,hidepid=0"), user([990], { ProtectProc: "default" }), false).state).toBe("ok");
	});

	test.each(["1", "2", "4", "noaccess", "invisible", "ptraceable"])("hides others with hidepid=%s", (mode) => {
		const finding = judgeProc(mounted(`rw,hidepid=${mode}`), user([990]), false);
		expect(finding).toMatchObject({ name: "/proc", state: "failed" });
		expect(finding.detail).toContain(`hidepid=${mode}, which hides other users' processes from user solistend`);
	});

	test("is mended by the mount's group, where it has one", () => {
		const { detail } = judgeProc(mounted("rw,gid=23,hidepid=invisible"), user([990, 5]), false);
		expect(detail).toMatch(
			/\(systemctl edit solistend: \[Service\] SupplementaryGroups=23; systemctl restart solistend\)$/,
		);
		expect(judgeProc(mounted("rw,hidepid=invisible"), user([990]), false).detail).toContain("groupadd");
	});

	test("hides nothing from who is in the mount's group, unless that has no say, nor from who may trace", () => {
		expect(judgeProc(mounted("rw,gid=23,hidepid=invisible"), user([990, 23]), false).state).toBe("ok");
		expect(judgeProc(mounted("rw,gid=23,hidepid=ptraceable"), user([990, 23]), false).state).toBe("failed");
		expect(judgeProc(mounted("rw,hidepid=invisible"), user([990]), true).state).toBe("ok");
	});

	test.each([
		["ProtectProc", "invisible", "default"],
		["ProcSubset", "pid", "all"],
	])("is hidden by a unit with %s=%s, too", (setting, value, usual) => {
		const { state, detail } = judgeProc(mounted("rw"), user([990], { [setting]: value }), false);
		expect(state).toBe("failed");
		expect(detail).toContain(`solistend.service has ${setting}=${value}: `);
		expect(detail).toContain(`[Service] ${setting}=${usual}; systemctl restart solistend`);
		expect(judgeProc(mounted("rw"), user([990], { [setting]: usual }), false).state).toBe("ok");
	});
});
