export async function doctor(..._args: unknown[]): Promise<number> { return 1; }
