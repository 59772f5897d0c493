/** Where things stand in a YAML text: from a path to an offset, and from an offset to line and column. Pure. */

import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node } from "yaml";

interface Spot {
	readonly key: Node | undefined;
	readonly value: Node | undefined;
}

const nodeOf = (candidate: unknown): Node | undefined => (isNode(candidate) ? candidate : undefined);

/** One step down; undefined where the path is not in the text. The last of equal keys counts, as in the value. */
function step(document: Document, { value }: Spot, name: PropertyKey): Spot | undefined {
	const node = isAlias(value) ? value.resolve(document) : value;
	if (isSeq(node)) {
		const item = nodeOf(node.items[Number(name)]);
		return item === undefined ? undefined : { key: undefined, value: item };
	}
	if (!isMap(node)) return undefined;
	const pair = node.items.findLast(({ key }) => isScalar(key) && String(key.value) === String(name));
	return pair === undefined ? undefined : { key: nodeOf(pair.key), value: nodeOf(pair.value) };
}

/**
 * The offset of a key or value. What is not in the text is looked for at the nearest thing around it that is. A value
 * that begins on a line below its key stands where the key stands: that is the line that names it.
 */
export function offsetOf(document: Document, text: string, path: readonly PropertyKey[], on: "key" | "value"): number {
	let spot: Spot = { key: undefined, value: nodeOf(document.contents) };
	for (const name of path) {
		const next = step(document, spot, name);
		if (next === undefined) break;
		spot = next;
	}
	const key = spot.key?.range?.[0];
	const value = spot.value?.range?.[0];
	if (key === undefined || (value !== undefined && on === "value" && !text.slice(key, value).includes("\n"))) {
		return value ?? 0;
	}
	return key;
}

/** A way from offsets into the text to lines and columns, both counted from 1. */
export function linesOf(text: string): (offset: number) => { readonly line: number; readonly column: number } {
	const counter = new LineCounter();
	counter.addNewLine(0);
	for (const { index } of text.matchAll(/\n/g)) counter.addNewLine(index + 1);
	return (offset) => {
		const { line, col } = counter.linePos(Math.min(Math.max(offset, 0), text.length));
		return { line, column: col };
	};
}
