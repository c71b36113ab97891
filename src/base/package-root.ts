/** Where this package lies on disk, and how one of its modules finds a sibling, run from `src` or from `dist`. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

/** The folder that holds package.json, `shaders/` and `dist/`. */
export const packageRoot: string = findRoot()

/** `sibling(import.meta.url, './worker')`: the `.ts` beside a source module, the `.js` beside a built one. */
export function sibling(moduleUrl: string, name: string): URL {
  return new URL(name + (moduleUrl.endsWith('.ts') ? '.ts' : '.js'), moduleUrl)
}
