// Package schema holds every message of the bridge: as Go types, as JSON Schema
// (2020-12) and as an AsyncAPI 3 document. Tests compare the three. The package
// uses the standard library only.
//
// # Versions
//
// Messages have no version number. There is one version, and it grows.
//
//   - Replies and events only ever gain fields. No field is removed, renamed,
//     given another type or another meaning. A reader ignores fields that it does
//     not know, and expects unknown statuses, error codes and sources. The JSON
//     Schemas list the codes and sources of this version: to validate messages,
//     use the schemas of the bridge that sends them.
//   - Requests gain optional fields. A bridge refuses fields that it does not
//     know, because it must not carry out a request that it understands only in
//     part. So upgrade the bridge first and the requesters afterwards.
//   - A change that is not possible in this way gets a new subject. The old
//     subject remains for as long as somebody uses it.
//
// The messages in testdata/golden were written by earlier versions. New ones are
// added, old ones never change, and every version reads them all.
package schema
