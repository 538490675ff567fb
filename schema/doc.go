// Package schema holds every message of the bridge: as Go types, as JSON Schema
// (2020-12) and as an AsyncAPI 3 document. The three say the same; tests hold
// them to each other. It uses the standard library only.
//
// # Versions
//
// A message never says its version, because there is only one: it grows.
//
//   - Replies and events only ever gain fields. No field is removed, renamed,
//     given another type or another meaning. Whoever reads them passes over
//     fields that he does not know, and statuses, error codes and sources too.
//     The JSON Schemas list the codes and sources of this version: whoever
//     validates what he reads takes the schemas of the bridge that he talks to.
//   - Requests gain optional fields. A bridge refuses fields that it does not
//     know, so upgrade the bridge first and the requesters after it: a request
//     that would be half understood is not carried out.
//   - What cannot be done so gets a subject of its own, and the old one stays
//     for as long as somebody uses it.
//
// The messages in testdata/golden are what earlier versions wrote. They are
// added to and never changed, and every version reads them.
package schema
