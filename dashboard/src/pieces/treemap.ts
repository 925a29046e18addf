// Where files lie on a map: folders within folders, each file's area its size (squarified treemap: Bruls,
// Huizing and van Wijk, 2000).

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Placed<T> extends Box {
  item: T;
}

/** A folder that is large enough for its name. */
export interface Named extends Box {
  name: string;
}

interface Node<T> {
  name: string;
  size: number;
  item?: T;
  folders: Map<string, Node<T>>;
  children: Node<T>[];
}

const GAP = 1;
const HEAD = 15;
const LEAST = { width: 56, height: 48 }; // of a folder with its name on it

/** Lay files out beneath each other's folders; `path` tells their names, "/" between folders. */
export function treemap<T>(
  items: T[],
  path: (one: T) => string,
  size: (one: T) => number,
  box: Box,
): { files: Placed<T>[]; folders: Named[] } {
  const made = { files: [] as Placed<T>[], folders: [] as Named[] };
  place(grown(items, path, size), box, 0, made);
  return made;
}

function grown<T>(items: T[], path: (one: T) => string, size: (one: T) => number): Node<T> {
  const root = node<T>("");
  for (const item of items) {
    const parts = path(item).split("/");
    const last = parts.pop() ?? "";
    const room = Math.max(1, size(item));
    let at = root;
    at.size += room;
    for (const part of parts) {
      let next = at.folders.get(part);
      if (!next) {
        next = node<T>(part);
        at.folders.set(part, next);
        at.children.push(next);
      }
      at = next;
      at.size += room;
    }
    at.children.push({ ...node<T>(last), size: room, item });
  }
  return root;
}

function node<T>(name: string): Node<T> {
  return { name, size: 0, folders: new Map(), children: [] };
}

function place<T>(of: Node<T>, box: Box, depth: number, made: { files: Placed<T>[]; folders: Named[] }): void {
  if (of.item !== undefined) {
    made.files.push({ ...inset(box, GAP / 2), item: of.item });
    return;
  }
  let at = of;
  let name = of.name;
  while (at.children.length === 1 && at.children[0]?.item === undefined) {
    at = at.children[0] as Node<T>;
    name = name ? `${name}/${at.name}` : at.name;
  }
  let inner = depth ? inset(box, GAP) : box;
  if (name && depth < 3 && inner.width > LEAST.width && inner.height > LEAST.height) {
    made.folders.push({ ...inner, name });
    inner = { ...inner, y: inner.y + HEAD, height: inner.height - HEAD };
  }
  const sorted = [...at.children].sort((one, other) => other.size - one.size || one.name.localeCompare(other.name));
  squarify(sorted, inner).forEach((part, index) => place(sorted[index] as Node<T>, part, depth + 1, made));
}

function inset(box: Box, by: number): Box {
  const width = Math.max(0.5, box.width - 2 * by);
  const height = Math.max(0.5, box.height - 2 * by);
  return { x: box.x + by, y: box.y + by, width, height };
}

/** Divide a box among sizes (the largest first) so that the parts are as square as can be. */
export function squarify(sizes: { size: number }[], box: Box): Box[] {
  const made: Box[] = [];
  let { x, y, width, height } = box;
  let left = sizes.reduce((sum, one) => sum + one.size, 0);
  let at = 0;
  while (at < sizes.length) {
    const short = Math.min(width, height);
    const scale = (width * height) / Math.max(left, 1e-9);
    let row = 0;
    let end = at;
    let worst = Infinity;
    const first = (sizes[at]?.size ?? 0) * scale;
    while (end < sizes.length) {
      const area = (sizes[end]?.size ?? 0) * scale;
      const sum = row + area;
      const next = Math.max((short * short * first) / (sum * sum), (sum * sum) / (short * short * area));
      if (next > worst) {
        break;
      }
      worst = next;
      row = sum;
      end++;
    }
    const thick = row / Math.max(short, 1e-9);
    let along = 0;
    for (; at < end; at++) {
      const size = sizes[at]?.size ?? 0;
      const long = (size * scale) / Math.max(thick, 1e-9);
      made.push(
        width >= height
          ? { x, y: y + along, width: thick, height: long }
          : { x: x + along, y, width: long, height: thick },
      );
      along += long;
      left -= size;
    }
    if (width >= height) {
      x += thick;
      width = Math.max(0, width - thick);
    } else {
      y += thick;
      height = Math.max(0, height - thick);
    }
  }
  return made;
}
