import { describe, expect, it } from "vitest";
import { runsOf } from "../../bench/rig/bpf-stats.js";

const program = (id: number, count: number, ns: number) =>
	`pos:\t0\nflags:\t02000002\nprog_type:\t26\nmemlock:\t4096\nprog_id:\t${id}\nrun_time_ns:\t${ns}\nrun_cnt:\t${count}\n`;
/** A link names its program, and counts nothing. */
const link = "pos:\t0\nlink_type:\traw_tracepoint\nprog_tag:\tabc\nprog_id:\t7\ntp_name:\tinet_sock_set_state\n";

describe("the kernel's count of BPF programs", () => {
	it("is summed over programs, and nothing else", () => {
		expect(runsOf([program(7, 10, 900), link, "pos:\t0\nmap_id:\t3\n", "", program(8, 5, 100)])).toEqual({
			count: 15,
			ns: 1000,
		});
	});

	it("takes a program once that has several descriptors", () => {
		expect(runsOf([program(7, 10, 900), program(7, 10, 900)])).toEqual({ count: 10, ns: 900 });
	});
});
