/**
 * What the user names on the command line (folders, files, globs) as a stream of files. Invariant: the order depends
 * on the names alone, a file comes once (also of names that are not UTF-8: see byte-names.ts), and memory does not grow with the number of files, only with the number of
 * folders (a glob holds its matches): of a folder's names so many are held at once, and it is read again for the next.
 */
import type { Dirent, Stats } from 'node:fs'
import { opendir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { glob, isDynamicPattern } from 'tinyglobby'
import { nameFromBytes, shownName, systemPath, workingFolder } from '../../base/byte-names.ts'
import { PeerError } from '../../base/errors.ts'
import { systemCode } from '../store/errors.ts'
import { judged, patiently } from './patience.ts'

export interface InputFile {
  /** As the user would write it: `test/airplane/0000.jpg` for the input `test`; bytes that are no UTF-8 as `\\xe9`. */
  path: string
  /** Absolute; `systemPath` of it is what the system takes. */
  file: string
}

export interface ListInputsInit {
  /** Taken from folders and globs, without the dot, in lower case. Default `imageExtensions`. */
  extensions?: readonly string[]
  /** What relative inputs are relative to. Default: the process's working folder. */
  cwd?: string
  /** What the inputs are, for messages. Default `images`. */
  what?: string
  /** Names of one folder held at once; more cost memory, fewer cost further readings of the folder. Default 65,536. */
  namesMax?: number
  /** Filled with what folders hold besides: files whose names are of another kind. */
  passedOver?: PassedOver
}

/** Files of folders that no extension speaks for; hidden ones are not counted. */
export interface PassedOver {
  files: number
  /** The first by name, with its folder. */
  first?: string
}

const namesUsual = 65_536

/**
 * Images by name. Some of these (bmp, heic, jp2, svg) are not decoded: an error row is better than an image that
 * is silently missing.
 */
export const imageExtensions: readonly string[] =
  'jpg jpeg jpe jfif png webp gif tif tiff avif bmp heic heif jp2 svg'.split(' ')

/** An input after it was looked at. */
type Source = { path: string; kind: 'folder' | 'file' }

/**
 * Lists `inputs` in the order given, folders recursively and sorted by name. Hidden files and folders are left out
 * unless named. A file named explicitly is taken whatever its extension, and so are the matches of a glob that ends
 * in an extension of its own (`*.dat`). A subfolder that cannot be read is listed like a file, so that it ends as an
 * error row. Throws PeerError of kind `input`, before anything is listed where it can be known.
 */
export async function* listInputs(inputs: readonly string[], init: ListInputsInit = {}): AsyncIterable<InputFile> {
  const extensions = new Set(init.extensions ?? imageExtensions)
  const wanted = (name: string) => extensions.has(extname(name).slice(1).toLowerCase())
  const cwd = init.cwd ?? workingFolder()
  const sources: Source[] = []
  for (const input of inputs) sources.push(...(await look(input, wanted, cwd)))

  /** Real paths: of folders already walked, and of files that came other than by a walk. */
  const seen: Seen = { folders: new Set(), files: new Set() }
  let found = 0
  for (const source of sources) {
    for await (const one of source.kind === 'folder'
      ? walk(source.path, { wanted, seen, cwd, namesMax: init.namesMax ?? namesUsual, passedOver: init.passedOver })
      : single(source.path, wanted, seen, cwd)) {
      found++
      yield { ...one, path: shownName(one.path) }
    }
  }
  if (found === 0) {
    throw new PeerError({
      code: 'INPUT_NONE',
      kind: 'input',
      message: `no ${init.what ?? 'images'} in ${inputs.map(shownName).join(', ') || 'no input'}: name a folder with ${[...extensions].slice(0, 8).join(', ')} files, or files themselves`,
      details: { inputs },
    })
  }
}

type Wanted = (name: string) => boolean
interface Seen {
  folders: Set<string>
  files: Set<string>
}

/** Finds out what an input is; a glob becomes its matches. */
async function look(input: string, wanted: Wanted, cwd: string): Promise<Source[]> {
  const stats = await statOf(input, cwd)
  if (stats?.isDirectory()) return [{ path: join(input), kind: 'folder' }]
  if (stats?.isFile()) return [{ path: join(input), kind: 'file' }]
  if (stats) throw inputError('INPUT_KIND', input, 'is neither a file nor a folder: name one of these')
  if (!isDynamicPattern(input)) throw inputError('INPUT_MISSING', input, 'does not exist: check the path')
  const matches = await glob(input, { cwd, expandDirectories: false, onlyFiles: false, followSymbolicLinks: false })
  const explicit = /^\.\w+$/.test(extname(input))
  const sources: Source[] = []
  for (const match of matches.sort()) {
    const kind = (await statOf(match, cwd))?.isDirectory() ? 'folder' : 'file'
    if (kind === 'folder' || explicit || wanted(match)) sources.push({ path: join(match), kind })
  }
  if (sources.length === 0) throw inputError('INPUT_MISSING', input, 'matches no file: check the pattern')
  return sources.map(source => ({ ...source, path: source.path.replace(/(.)\/$/, '$1') }))
}

/** What `path` is, links followed; undefined when there is nothing. */
async function statOf(path: string, cwd: string): Promise<Stats | undefined> {
  try {
    return await stat(systemPath(resolve(cwd, path)))
  } catch (thrown) {
    const code = systemCode(thrown)
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined
    throw inputError('INPUT_UNREADABLE', path, `cannot be read (${code ?? 'unknown'}): check its permissions`)
  }
}

const realOf = async (path: string) => nameFromBytes(await realpath(systemPath(path), { encoding: 'buffer' }))

async function* single(path: string, wanted: Wanted, seen: Seen, cwd: string): AsyncIterable<InputFile> {
  const file = resolve(cwd, path)
  const folder = await realOf(dirname(file))
  const name = basename(file)
  // A folder that was walked has listed it already, if it is one that a walk lists.
  if (seen.folders.has(folder) && wanted(name) && !name.startsWith('.')) return
  const key = join(folder, name)
  if (seen.files.has(key)) return
  seen.files.add(key)
  yield { path, file }
}

interface Walk {
  wanted: Wanted
  passedOver?: PassedOver
  seen: Seen
  cwd: string
  namesMax: number
}

async function* walk(path: string, how: Walk, inside = false): AsyncIterable<InputFile> {
  const { seen, cwd } = how
  const folder = resolve(cwd, path)
  try {
    const real = await realOf(folder)
    // Also what ends a loop of links.
    if (seen.folders.has(real)) return
    seen.folders.add(real)
    for (let after = '', more = true; more; ) {
      const next = await namesAfter(folder, how, after)
      for (const name of next.names) {
        if (name.endsWith('/')) yield* walk(join(path, name.slice(0, -1)), how, true)
        else if (!seen.files.has(join(real, name))) yield { path: join(path, name), file: join(folder, name) }
      }
      more = next.more
      after = next.names.at(-1) ?? after
    }
  } catch (cause) {
    const thrown = judged(path, cause)
    if (thrown instanceof PeerError) throw thrown
    if (inside) return yield { path, file: folder }
    throw inputError(
      'INPUT_UNREADABLE',
      path,
      `cannot be read (${systemCode(thrown) ?? 'unknown'}): check its permissions`,
    )
  }
}

/**
 * The first `namesMax` names, sorted, of those behind `after`: the wanted files and the folders in a folder, these with a
 * slash at the end; and whether there are more.
 */
async function namesAfter(
  folder: string,
  { wanted, namesMax, passedOver }: Walk,
  after: string,
): Promise<{ names: string[]; more: boolean }> {
  let names: string[] = []
  let more = false
  const cut = () => {
    names = names.sort()
    more ||= names.length > namesMax
    names = names.slice(0, namesMax)
  }
  // A folder's names are bytes; `latin1` has one character a byte.
  const open = () => opendir(systemPath(folder), { bufferSize: 1024, encoding: 'latin1' })
  for await (const entry of await patiently(folder, open)) {
    const name = await nameOf(entry, folder, wanted)
    // Of a large folder that is read again for the next names, once.
    if (name === false && passedOver && after === '') {
      const path = join(folder, nameFromBytes(Buffer.from(entry.name, 'latin1')))
      passedOver.files++
      if (passedOver.first === undefined || path < passedOver.first) passedOver.first = path
    }
    if (name === undefined || name === false || name <= after) continue
    names.push(name)
    if (names.length >= 2 * namesMax) cut()
  }
  cut()
  return { names, more }
}

/** The name of a wanted file or of a folder, this with a slash at the end; false: a file that is not wanted. */
async function nameOf(entry: Dirent, folder: string, wanted: Wanted): Promise<string | undefined | false> {
  const name = nameFromBytes(Buffer.from(entry.name, 'latin1'))
  if (name.startsWith('.')) return undefined
  let isFolder = entry.isDirectory()
  let isFile = entry.isFile()
  if (entry.isSymbolicLink()) {
    const target = await stat(systemPath(join(folder, name))).catch(() => undefined)
    isFolder = target?.isDirectory() ?? false
    isFile = target?.isFile() ?? true // a dangling link with an image's name becomes an error row
  }
  if (isFolder) return `${name}/`
  return isFile && (wanted(name) ? name : false)
}

function inputError(code: string, input: string, what: string): PeerError {
  return new PeerError({ code, kind: 'input', message: `${shownName(input)} ${what}`, details: { input } })
}
