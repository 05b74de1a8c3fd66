package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// rawCodec leaves messages as they are on the wire, so that methods and fields that this host never heard of pass.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(message any) ([]byte, error) {
	raw, ok := message.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("expected a raw message, got %T", message)
	}
	return *raw, nil
}

func (rawCodec) Unmarshal(data []byte, message any) error {
	raw, ok := message.(*[]byte)
	if !ok {
		return fmt.Errorf("expected a raw message, got %T", message)
	}
	*raw = append([]byte(nil), data...) // gRPC uses the buffer again
	return nil
}

// handler answers RunPlugin and hands on everything else.
func handler(host *older) grpc.StreamHandler {
	return func(_ any, stream grpc.ServerStream) error {
		method, ok := grpc.MethodFromServerStream(stream)
		if !ok {
			return status.Error(codes.Internal, "a call without a method")
		}
		if method == pulumirpc.LanguageRuntime_RunPlugin_FullMethodName {
			return runPlugin(stream)
		}
		return forward(host.conn, method, stream)
	}
}

// forward passes messages both ways until the older host ends the call.
func forward(conn *grpc.ClientConn, method string, from grpc.ServerStream) error {
	ctx, cancel := context.WithCancel(from.Context())
	defer cancel()
	if received, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = metadata.NewOutgoingContext(ctx, received.Copy())
	}
	both := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	to, err := conn.NewStream(ctx, both, method)
	if err != nil {
		return err
	}
	go func() {
		if pass(from.RecvMsg, to.SendMsg) == nil {
			_ = to.CloseSend()
		} else {
			cancel()
		}
	}()
	err = pass(to.RecvMsg, from.SendMsg)
	from.SetTrailer(to.Trailer())
	return err
}

// pass hands on messages until there are no more; nil then.
func pass(receive, send func(message any) error) error {
	for {
		var raw []byte
		if err := receive(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := send(&raw); errors.Is(err, io.EOF) {
			return nil // the receiver has ended the call; why, its status says
		} else if err != nil {
			return err
		}
	}
}
