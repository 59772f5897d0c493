import { describe, expect, test } from "vitest";
import { type DaemonUser, wayPast } from "../../../../src/cli/doctor/daemon-user.js";

const USER: DaemonUser = { name: "solistend", uid: 990, groups: [990], isSelf: false, unit: new Map() };
const { unit: _, ...WITHOUT_UNIT } = USER;

describe("the way past what a user may not open", () => {
	test("is the group that may, for as long as the unit runs", () => {
		const found = { path: "/run/haproxy/admin.sock", mode: 0o140660, gid: 114, group: "haproxy" };
		const way = wayPast(found, USER, "write");
		expect(way).toBe("systemctl edit solistend: [Service] SupplementaryGroups=haproxy; systemctl restart solistend");
		expect(wayPast(found, WITHOUT_UNIT, "write")).toMatch(/^usermod --append --groups haproxy solistend/);
	});

	test("is a group of its own where none may, or only root's", () => {
		const own = (path: string, mode: number, gid: number) => ({
			path,
			mode,
			gid,
			group: gid === 0 ? "root" : "haproxy",
		});
		const chmod = (letter: string) => `chgrp solistend /x && chmod g+${letter} /x`;
		expect(wayPast(own("/x", 0o140600, 114), USER, "write")).toBe(chmod("w"));
		expect(wayPast(own("/x", 0o140660, 0), USER, "write")).toBe(chmod("w"));
		expect(wayPast(own("/x", 0o040700, 0), USER, "enter")).toBe(chmod("x"));
		expect(wayPast(own("/x", 0o100600, 0), USER, "read")).toBe(chmod("r"));
	});

	test("is another one for what is made anew with its old mode", () => {
		const found = { path: "/run/m.sock", mode: 0o140600, gid: 0, group: "root" };
		expect(wayPast(found, USER, "write", "start it otherwise")).toBe("start it otherwise");
		expect(wayPast({ ...found, mode: 0o140660, gid: 4, group: "adm" }, USER, "write", "no")).toContain(
			"SupplementaryGroups=adm",
		);
	});
});
