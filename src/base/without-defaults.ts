/** Zod's `.partial()` keeps `.default()`: what a request leaves out would come back as if it had been given. */
import { z } from 'zod'

/** The schema's own form before its defaults: every field that has one may be left out, and then stays absent. */
export function withoutDefaults<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
): z.ZodType<z.input<z.ZodObject<Shape>>> {
  const shape = Object.entries(schema.shape).map(([name, field]) => [name, bare(field as z.ZodType)] as const)
  return z.strictObject(Object.fromEntries(shape)) as unknown as z.ZodType<z.input<z.ZodObject<Shape>>>
}

function bare(field: z.ZodType): z.ZodType {
  return field instanceof z.ZodDefault ? (field.unwrap() as z.ZodType).optional() : field
}
