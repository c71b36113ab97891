/** Members of a literal type (`{ rows: number }` inside another type) need no text of their own: the type around them has one. */
import { Converter, ReflectionKind } from 'typedoc'

/** What a function takes is told by the function. */
const inCall = one => one !== undefined && (one.kindOf(ReflectionKind.SomeSignature) || inCall(one.parent))

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    const inner = project
      .getReflectionsByKind(ReflectionKind.Property)
      .filter(one => one.parent?.kind === ReflectionKind.TypeLiteral && !one.hasComment() && !inCall(one))
    app.options.setValue('intentionallyNotDocumented', [...new Set(inner.map(one => one.getFullName()))])
  })
}
