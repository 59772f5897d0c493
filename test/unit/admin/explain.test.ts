import { expect, test } from "vitest";
import { questionOf } from "../../../src/admin/explain.js";

const ask = (query: string) => questionOf(new URLSearchParams(query));

test.each([
	["", undefined],
	["what=80", { what: "80", as: undefined }],
	["port=80", { what: "80", as: "port" }],
	["pid=4711", { what: "4711", as: "pid" }],
	["netns=host", { what: "host", as: "netns" }],
	["container=web%201", { what: "web 1", as: "container" }],
	["what=web/10.0.0.2:80", { what: "web/10.0.0.2:80", as: undefined }],
])("the query %j is understood", (query, question) => {
	expect(ask(query)).toEqual({ ok: true, question });
});

test.each([
	["port=80&pid=1", "one of what, port, pid, netns, container, service at a time, not 2 parameters"],
	["port=80&port=81", "one of what, port, pid, netns, container, service at a time, not 2 parameters"],
	["prot=80", "takes what, port, pid, netns, container, service, no other parameter"],
	["port=", "port is empty"],
	["port=http", "port must be a whole number"],
	["pid=-1", "pid must be a whole number"],
	[`what=${"a".repeat(513)}`, "what is longer than 512 characters"],
])("the query %j is refused in one sentence", (query, error) => {
	expect(ask(query)).toEqual({ ok: false, error });
});
