package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// The runner of policy packs that the SDK brings, found as the pack itself finds its modules.
const policyRunner = "@pulumi/pulumi/cmd/run-policy-pack"

// How long something that a pack has started, and left behind, may hold on to its output.
const outputDelay = 2 * time.Second

// runPlugin starts a policy pack and streams what it says until it ends, its exit code last. The engine ends the pack by
// cancelling the call.
func runPlugin(stream grpc.ServerStream) error {
	request, err := receiveRequest(stream)
	if err != nil {
		return err
	}
	if request.GetKind() != "analyzer" {
		return status.Errorf(codes.Unimplemented,
			"this language host runs policy packs only, not a plugin of kind %q; use the vendor's", request.GetKind())
	}
	pack := request.GetInfo().GetProgramDirectory()
	runner, err := resolve(policyRunner, pack)
	if err != nil {
		return err
	}
	// The runner's usage: the engine's address, which is the last of the arguments, then the pack.
	args := append([]string{runner}, request.GetArgs()...)
	command := exec.CommandContext(stream.Context(), "node", append(args, ".")...)
	command.Dir = pack // where the pack's package.json is looked for
	command.Env = append(os.Environ(), request.GetEnv()...)
	command.WaitDelay = outputDelay
	var lock sync.Mutex
	command.Stdout = &output{stream, &lock, func(data []byte) *pulumirpc.RunPluginResponse {
		return &pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: data}}
	}}
	command.Stderr = &output{stream, &lock, func(data []byte) *pulumirpc.RunPluginResponse {
		return &pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: data}}
	}}
	var ended *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &ended) {
		return status.Errorf(codes.Internal, "could not run the policy pack %s: %v", pack, err)
	}
	return sendResponse(stream, &pulumirpc.RunPluginResponse{
		Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(command.ProcessState.ExitCode())},
	})
}

func receiveRequest(stream grpc.ServerStream) (*pulumirpc.RunPluginRequest, error) {
	var raw []byte
	if err := stream.RecvMsg(&raw); err != nil {
		return nil, err
	}
	request := &pulumirpc.RunPluginRequest{}
	return request, proto.Unmarshal(raw, request)
}

func sendResponse(stream grpc.ServerStream, response *pulumirpc.RunPluginResponse) error {
	raw, err := proto.Marshal(response)
	if err != nil {
		return err
	}
	return stream.SendMsg(&raw)
}

// resolve answers the file of a module as a program in that folder would find it.
func resolve(module, folder string) (string, error) {
	command := exec.Command("node", "-p", "require.resolve('"+module+"')")
	command.Dir = folder
	answer, err := command.Output()
	if err != nil {
		return "", status.Errorf(codes.FailedPrecondition,
			"%s was not found from %s: run `npm install` there or above", module, folder)
	}
	return strings.TrimSpace(string(answer)), nil
}

// output is stdout or stderr of a pack; both share the one stream.
type output struct {
	stream  grpc.ServerStream
	lock    *sync.Mutex
	message func(data []byte) *pulumirpc.RunPluginResponse
}

func (out *output) Write(data []byte) (int, error) {
	out.lock.Lock()
	defer out.lock.Unlock()
	if err := sendResponse(out.stream, out.message(data)); err != nil {
		return 0, err
	}
	return len(data), nil
}
