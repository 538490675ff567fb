// Package board is a replica's picture of the orders of all replicas: claims and
// statuses, as the status stream shows them. list, the console, the requesters
// that wait for an order, the follower's peers and its sweep read it.
//
// The board may lag. It decides nothing: whoever acts on what it shows reads the
// order's log first.
package board
