/**
 * The file, as it follows single changes: of the text that was rendered last only the lines of the slots that changed
 * are rendered anew, so that one change among ten thousand servers costs little. Pure but for the template.
 */

import type { BackendRef, DesiredService, DesiredSet } from "../../backends/backend.js";
import { type DeclaredFile, parseDeclared } from "./declared.js";
import type { Slot } from "./slots.js";

/** With more, rendering all of it is the shorter way. */
const MOST = 64;

/** Renders the file with nothing but this service and this slot in it. */
export type RenderSlot = (service: DesiredService, slot: Slot) => string;

export interface Follow {
	/** All of it was rendered: this is the text that is to be written, and for what. */
	planned(text: string, file: DeclaredFile, desired: DesiredSet): void;
	/** The file has this text. */
	written(text: string): void;
	/** A slot changed in the running HAProxy. */
	changed(service: BackendRef["service"], slot: Slot): void;
	/** The text that the file should have by now; undefined when that takes a plan. */
	text(): string | undefined;
}

interface Rendered {
	readonly text: string;
	readonly file: DeclaredFile;
	readonly services: ReadonlyMap<string, DesiredService>;
}

export function createFollow(render: RenderSlot): Follow {
	let rendered: Rendered | undefined;
	/** Whether the file is known to have that text. */
	let isWritten = false;
	let changes = new Map<string, { readonly service: string; readonly slot: Slot }>();

	/** The new line of a slot; undefined where the template has none of its own for it. */
	const lineOf = ({ services }: Rendered, name: string, slot: Slot): string | undefined => {
		const service = services.get(name);
		if (service === undefined) return undefined;
		const backends = slot.backend === undefined ? [] : [slot.backend];
		const alone = parseDeclared(render({ ...service, backends }, slot));
		return alone.lines[alone.backends.get(name)?.get(slot.name)?.line ?? -1];
	};

	return {
		planned(text, file, desired) {
			rendered = { text, file, services: new Map(desired.map((one) => [one.name, one])) };
			isWritten = false;
			changes = new Map();
		},
		written(text) {
			isWritten = rendered?.text === text;
		},
		changed(service, slot) {
			changes.set(`${service}/${slot.name}`, { service, slot });
		},
		text() {
			if (rendered === undefined || (!isWritten && changes.size === 0) || changes.size > MOST) return undefined;
			if (changes.size === 0) return rendered.text;
			const lines = [...rendered.file.lines];
			for (const { service, slot } of changes.values()) {
				const at = rendered.file.backends.get(service)?.get(slot.name)?.line;
				const line = lineOf(rendered, service, slot);
				if (at === undefined || line === undefined) return undefined;
				lines[at] = line;
			}
			rendered = { ...rendered, text: lines.join("\n"), file: { ...rendered.file, lines } };
			isWritten = false;
			changes = new Map();
			return rendered.text;
		},
	};
}
