/** Holds the arrows between rooms: who may import whom. The table of rooms in docs/how-it-works.md is this table. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot } from '../src/base/package-root.ts'

const source = join(packageRoot, 'src')

/** Each room and the rooms that it may import besides itself. */
const arrows: Record<string, string[]> = {
  base: [],
  compute: ['base'],
  data: ['base'],
  learn: ['base', 'compute', 'data'],
  'jobs/core': ['base'],
  jobs: ['base', 'compute', 'data', 'learn', 'jobs/core'],
  mesh: ['base'],
  peer: ['base', 'compute', 'data', 'learn', 'jobs', 'jobs/core', 'mesh'],
  api: ['base', 'compute', 'data', 'learn', 'jobs', 'jobs/core', 'mesh', 'peer'],
  cli: ['base', 'compute', 'data', 'learn', 'jobs', 'jobs/core', 'mesh', 'peer', 'api'],
  web: ['base', 'api'],
}

/** Packages that only one room may know, so that they can be changed behind its interface. */
const keepers: [RegExp, string][] = [
  [/^(@libp2p\/|@chainsafe\/|libp2p$|@multiformats\/multiaddr|multicast-dns$)/, 'mesh'],
  [/^webgpu$/, 'compute'],
  [/^sharp$/, 'data'],
  [/^(commander|cli-progress|cli-table3|picocolors)$/, 'cli'],
]

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry =>
    entry.isDirectory()
      ? files(join(folder, entry.name))
      : entry.name.endsWith('.ts')
        ? [join(folder, entry.name)]
        : [],
  )
}

function room(file: string): string {
  const path = relative(source, file).split(sep)
  return path[0] === 'jobs' && path[1] === 'core' ? 'jobs/core' : path[0]
}

function imports(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  return [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]|import\(['"]([^'"]+)['"]\)/g),
  ].map(match => match[1] ?? match[2])
}

test('imports follow the arrows between rooms', () => {
  const broken: string[] = []
  for (const file of files(source)) {
    const from = room(file)
    for (const specifier of imports(file)) {
      if (specifier.startsWith('.')) {
        const to = room(resolve(dirname(file), specifier))
        if (to !== from && !(arrows[from] ?? []).includes(to)) {
          broken.push(`${relative(source, file)} imports ${specifier}: ${from} may import ${arrows[from]?.join(', ')}`)
        }
      } else {
        for (const [pattern, keeper] of keepers) {
          if (pattern.test(specifier) && from !== keeper) {
            broken.push(`${relative(source, file)} imports ${specifier}: only ${keeper} may; go through its interface`)
          }
        }
      }
    }
  }
  expect(broken).toEqual([])
})

test('the protocol core is pure: no clock, no randomness, no promise, no package', () => {
  const impure = /\b(Date\.now|performance\.now|Math\.random|setTimeout|setInterval|Promise|async|await|process\.)\b/
  const broken: string[] = []
  for (const file of files(join(source, 'jobs/core'))) {
    const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    const found = impure.exec(code)
    if (found) broken.push(`${relative(source, file)} uses ${found[0]}: make it an event or an effect`)
    for (const specifier of imports(file)) {
      if (!specifier.startsWith('.'))
        broken.push(`${relative(source, file)} imports ${specifier}: the core imports nothing`)
    }
  }
  expect(broken).toEqual([])
})
