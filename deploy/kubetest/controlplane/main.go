// Command controlplane is a Kubernetes control plane in one program, for tests.
// Its first argument chooses the part that the process plays.
package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// etcdStart is how long the store may take until it answers.
const etcdStart = time.Minute

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	if len(args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: controlplane etcd|apiserver|controllers|scheduler …")
		return 2
	}
	part, rest := args[1], args[2:]
	if part == "etcd" {
		if err := etcd(rest); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	commands := map[string]func() *cobra.Command{
		"apiserver":   apiserver.NewAPIServerCommand,
		"controllers": controllers.NewControllerManagerCommand,
		"scheduler":   func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	}
	command, ok := commands[part]
	if !ok {
		fmt.Fprintf(os.Stderr, "controlplane: no part %q\n", part)
		return 2
	}
	c := command()
	c.SetArgs(rest)
	return cli.Run(c)
}

// etcd runs the store until it fails. The arguments are its folder, the
// address for clients and the address for peers.
func etcd(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: controlplane etcd FOLDER CLIENT-URL PEER-URL")
	}
	client, err := url.Parse(args[1])
	if err != nil {
		return fmt.Errorf("read client address: %w", err)
	}
	peer, err := url.Parse(args[2])
	if err != nil {
		return fmt.Errorf("read peer address: %w", err)
	}
	c := embed.NewConfig()
	c.Dir = args[0]
	c.UnsafeNoFsync = true // A test that dies takes its store with it.
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.LogLevel = "error"
	server, err := embed.StartEtcd(c)
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	defer server.Close()
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(etcdStart):
		return fmt.Errorf("etcd is not ready after %v", etcdStart)
	}
	return <-server.Err()
}
