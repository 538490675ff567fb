// Package webhook takes the notifications that the provider sends when an order
// has changed. It never believes one: a notification that a terminal group's key
// has signed is a reason to ask the provider for the order, no more.
//
// Only a POST carries a signature. The provider can notify by GET as well, without
// any; the bridge has every order notified by POST, so everything else is refused.
// A notification that arrives twice, or that somebody replays, has the order asked
// for once more, which publishes nothing that is published already.
package webhook
