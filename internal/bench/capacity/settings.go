//go:build linux

package main

import (
	"fmt"
	"time"
)

// settings are what the flags say.
type settings struct {
	workers, orders     int
	duration            time.Duration
	always              bool
	servers, prefixes   int
	terminals, capacity int
	seed                uint64
}

// each calls measure for the numbers of servers and prefixes that are asked for.
func (s settings) each(measure func(servers, prefixes int) error) error {
	for _, servers := range choice(s.servers, 1, 3) {
		for _, prefixes := range choice(s.prefixes, 1, 2) {
			if err := measure(servers, prefixes); err != nil {
				return fmt.Errorf("%d servers, %d prefixes: %w", servers, prefixes, err)
			}
		}
	}
	return nil
}

func choice(chosen int, all ...int) []int {
	if chosen > 0 {
		return []int{chosen}
	}
	return all
}
