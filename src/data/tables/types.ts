/** A table as training sees it: float32 features row by row, in shards, and one column of labels beside them. */

/** What a row belongs to, as text, or the number that it should give. */
export type LabelColumn =
  | {
      kind: 'class'
      /** Distinct labels of this shard, in the order of their first row. */
      names: readonly string[]
      /** By row, a place in `names`. */
      codes: Uint32Array
    }
  | { kind: 'number'; values: Float64Array }

/** A column of texts beside the features, for models that take them. */
export interface TextColumn {
  name: string
  /** Distinct texts of this shard, in the order of their first row; what is missing is the empty one. */
  texts: readonly string[]
  /** By row, a place in `texts`. */
  codes: Uint32Array
}

/** So many neighbouring rows of a table. */
export interface TableShard {
  /** Place among the shards, from 0. */
  index: number
  /** Place of the first row among all rows of the table. */
  firstRow: number
  rows: number
  /** Names of the features. */
  columns: readonly string[]
  /** [rows, columns.length]; NaN where a value is missing, which only `missing: 'mean'` lets through. */
  x: Float32Array
  label?: LabelColumn
  /** Absent: none were asked for. */
  texts?: readonly TextColumn[]
}
