/** What people call a peer. */
import { hostname } from 'node:os'
import { PeerError } from '../base/errors.ts'

/** Heartbeats carry no more. */
const nameCharsMax = 64

/** The name if it can be shown, the machine's name when absent. @throws PeerError NAME_INVALID */
export function peerName(name: string | undefined): string {
  if (name === undefined) return clean(hostname()) || 'peer'
  const wrong =
    name.trim() === ''
      ? 'it is blank'
      : /[\p{Cc}\p{Cf}\u2028\u2029]/u.test(name)
        ? 'it has control characters'
        : name.length > nameCharsMax
          ? `it is longer than ${nameCharsMax} characters`
          : undefined
  if (wrong === undefined) return name.trim()
  throw new PeerError({
    code: 'NAME_INVALID',
    kind: 'input',
    message: `${JSON.stringify(name.slice(0, nameCharsMax))} cannot be a peer's name: ${wrong}; leave --name out for the machine's name`,
    details: { field: 'name' },
  })
}

const clean = (name: string) =>
  name
    .replace(/[\p{Cc}\p{Cf}]/gu, '')
    .slice(0, nameCharsMax)
    .trim()
