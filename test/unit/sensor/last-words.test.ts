import { describe, expect, test } from "vitest";
import { aboutProgram, culpritOf, lacksType, lastWords } from "../../../src/sensor/last-words.js";

const VERIFIER = [
	"libbpf: prog 'watch_state': something harmless",
	"libbpf: prog 'seed': BPF program load failed: Permission denied",
	"libbpf: prog 'seed': -- BEGIN PROG LOAD LOG --",
	"84: (85) call bpf_skc_to_mptcp_sock#196",
	"R1 type=ptr_ expected=sock_common, sock, tcp_sock, xdp_sock",
	"processed 584 insns (limit 1000000) max_states_per_insn 1",
	"-- END PROG LOAD LOG --",
	"libbpf: prog 'seed': failed to load: -13",
	"libbpf: failed to load object 'solistend.bpf.o'",
];

describe("what libbpf printed", () => {
	test("names the program that failed", () => {
		expect(culpritOf(VERIFIER)).toBe("seed");
		expect(culpritOf(["libbpf: failed to create map 'events'"])).toBeUndefined();
	});

	test("is cut down to what concerns one program", () => {
		expect(aboutProgram(VERIFIER, "seed")[0]).toBe("BPF program load failed: Permission denied");
		expect(aboutProgram(VERIFIER, "seed")).toHaveLength(VERIFIER.length - 1);
	});

	test("ends in the verifier's last useful line, and the rest is counted", () => {
		expect(lastWords(aboutProgram(VERIFIER, "seed"))).toBe(
			"R1 type=ptr_ expected=sock_common, sock, tcp_sock, xdp_sock, and 7 more lines",
		);
	});

	test("without a verifier begins with libbpf's first complaint", () => {
		const lines = ["libbpf: prog 'x': failed to find kernel BTF type ID of 'y': -3", "libbpf: failed to load object"];
		expect(lastWords(aboutProgram(lines, "x"))).toBe("failed to find kernel BTF type ID of 'y': -3, and 1 more lines");
		expect(lastWords([])).toBeUndefined();
		expect(lastWords(["one line"])).toBe("one line");
	});

	test("tells a type that is missing from a program that is refused", () => {
		const relocation =
			"libbpf: prog 'seed': failed to resolve CO-RE relocation <byte_off> [125] struct mptcp_sock.first";
		expect(lacksType(aboutProgram([relocation], "seed"))).toBe(true);
		expect(lacksType(VERIFIER)).toBe(false);
	});
});
