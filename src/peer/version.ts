/** This program's version, as package.json has it, and the commit that was built where that is known: `0.1.0+6e176da`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../base/package-root.ts'

const jsonOf = (...path: string[]) => JSON.parse(readFileSync(join(packageRoot, ...path), 'utf8'))

/** What `npm run build` noted; sources that run as they are have not been built. */
function commit(): string | undefined {
  if (import.meta.filename.endsWith('.ts')) return undefined
  try {
    const noted = jsonOf('dist', 'build.json').commit
    return typeof noted === 'string' && /^[0-9a-f]{7,40}(\.dirty)?$/.test(noted) ? noted : undefined
  } catch {
    return undefined
  }
}

const built = commit()
export const version: string = `${jsonOf('package.json').version}${built === undefined ? '' : `+${built}`}`
