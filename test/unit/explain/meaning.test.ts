import { describe, expect, test } from "vitest";
import type { Question } from "../../../src/admin/explain-view.js";
import { meaningsOf, nameOf, nothingFits, type Subject } from "../../../src/explain/meaning.js";

const ID = `3f2a${"0".repeat(60)}`;

const WEB: Subject = {
	port: 8080,
	pids: [4711, 4712],
	netnsInode: 4026532177,
	netnsName: "blue",
	container: ID,
	containerName: "web-1",
	isOf: (service) => service === "web",
	backends: ["web/10.0.0.2:8080"],
};
const HOST: Subject = {
	port: 80,
	pids: [8080],
	netnsInode: 4026531833,
	netnsName: "host",
	isOf: () => false,
	backends: [],
};

const any = (what: string): Question => ({ what, as: undefined });

describe("a word means", () => {
	test.each([
		["8080", ["port"], ["pid"]],
		["4712", ["pid"], []],
		["4026532177", ["netns"], []],
		["blue", ["netns"], []],
		["host", [], ["netns"]],
		["web-1", ["container"], []],
		["3f2a", ["container"], []],
		["3F2A0", ["container"], []],
		["3f2", [], []],
		["web", ["service"], []],
		["web/10.0.0.2:8080", ["backend"], []],
		["10.0.0.2:8080", ["backend"], []],
		["10.0.0.2", [], []],
		["08080", ["port"], ["pid"]],
		["-1", [], []],
		["", [], []],
	])("%s: whatever fits", (what, ofWeb, ofHost) => {
		expect(meaningsOf(any(what), WEB)).toEqual(ofWeb);
		expect(meaningsOf(any(what), HOST)).toEqual(ofHost);
	});

	test("several things at once, in an order of their own", () => {
		const odd: Subject = { ...WEB, port: 4711, netnsName: "web", containerName: "web" };
		expect(meaningsOf(any("4711"), odd)).toEqual(["port", "pid"]);
		expect(meaningsOf(any("web"), odd)).toEqual(["netns", "container", "service"]);
	});

	test("one thing where it is said which", () => {
		expect(meaningsOf({ what: "8080", as: "pid" }, WEB)).toEqual([]);
		expect(meaningsOf({ what: "8080", as: "pid" }, HOST)).toEqual(["pid"]);
		expect(meaningsOf({ what: "web", as: "service" }, WEB)).toEqual(["service"]);
		expect(meaningsOf({ what: "web", as: "container" }, WEB)).toEqual([]);
	});

	test("a container, which is named in full", () => {
		expect(nameOf("container", "3f2a", WEB)).toBe("web-1 (3f2a00000000)");
		expect(nameOf("netns", "blue", WEB)).toBe("blue (4026532177)");
		expect(nameOf("netns", "9", { ...WEB, netnsName: undefined })).toBe("4026532177");
		expect(nameOf("port", "8080", WEB)).toBe("8080");
	});
});

describe("where nothing fits", () => {
	const sentence = (question: Question) => nothingFits(question, [WEB, HOST], ["web", "api"], ["web/10.0.0.2:8080"]);

	test.each([
		[
			any("wbe"),
			'"wbe" is no port, process, network namespace, container, service or backend that there is, or was lately (did you mean web?)',
		],
		[
			any("10.0.0.3:8080"),
			'"10.0.0.3:8080" is no port, process, network namespace, container, service or backend that there is, or was lately (did you mean 10.0.0.2:8080?)',
		],
		[
			any("8081"),
			"8081 is no port that listens, no process that called listen(), and no network namespace that one is in, now or lately (nearest ports: 8080, 80)",
		],
		[{ what: "81", as: "port" }, "nothing listens on port 81, nor did lately (nearest ports: 80, 8080)"],
		[
			{ what: "4713", as: "pid" },
			"no socket that listens, or did lately, was opened by process 4713: the one that called listen() counts (nearest pids: 4711, 4712, 8080)",
		],
		[{ what: "bleu", as: "netns" }, "nothing listens in a network namespace bleu, nor did lately (did you mean blue?)"],
		[{ what: "web1", as: "container" }, "nothing listens in a container web1, nor did lately (did you mean web-1?)"],
		[{ what: "ap", as: "service" }, "there is no service ap (did you mean api?)"],
		[
			any("\u001b[31m"),
			'"\\u{001b}[31m" is no port, process, network namespace, container, service or backend that there is, or was lately',
		],
	] as const)("it is said in one sentence, with what is nearest: %s", (question, message) => {
		expect(sentence(question)).toBe(message);
	});
});
