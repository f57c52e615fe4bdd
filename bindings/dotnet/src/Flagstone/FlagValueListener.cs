// One who listens to the value of a flag, in each of the forms that .NET has for it.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Channels;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>A registered listener. Disposing ends it.</summary>
internal sealed class FlagValueListener(
    FlagstoneClient client, string key, Context context, Action<FlagValueChange> handler, Action? onEnd) : IDisposable
{
    /// <summary>The number by which the library knows it.</summary>
    internal ulong Number { get; set; }

    internal string Key => key;

    internal Context Context => context;

    internal Action<FlagValueChange> Handler => handler;

    /// <summary>Called when the client is disposed of.</summary>
    internal Action? OnEnd => onEnd;

    public void Dispose() => client.Unlisten(this);
}

internal sealed class FlagValueObservable(FlagstoneClient client, string key, Context context) : IObservable<FlagValueChange>
{
    public IDisposable Subscribe(IObserver<FlagValueChange> observer)
    {
        _ = observer ?? throw new ArgumentNullException(nameof(observer));
        FlagValueListener listener = new(client, key, context, observer.OnNext, observer.OnCompleted);
        try
        {
            client.Listen(listener);
        }
        catch (ObjectDisposedException error)
        {
            observer.OnError(error);
        }
        return listener;
    }
}

internal static class FlagValueStream
{
    /// <summary>How many changes wait for a reader that is slow.</summary>
    private const int Capacity = 1000;

    internal static async IAsyncEnumerable<FlagValueChange> OfAsync(
        FlagstoneClient client, string key, Context context, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Channel<FlagValueChange> changes = Channel.CreateBounded<FlagValueChange>(
            new BoundedChannelOptions(Capacity) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        // Somebody waits, so the client is not forgotten, even if nothing else refers to it.
        using IDisposable hold = client.Hold();
        using FlagValueListener listener = new(
            client, key, context, change => changes.Writer.TryWrite(change), () => changes.Writer.TryComplete());
        client.Listen(listener);
        while (await changes.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            while (changes.Reader.TryRead(out FlagValueChange? change))
            {
                yield return change;
            }
        }
    }
}
