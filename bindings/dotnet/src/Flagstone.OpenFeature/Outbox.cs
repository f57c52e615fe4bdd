// What the provider tells, in order, to a channel that may be full: nobody who tells waits. Flags that change while earlier news is
// under way are told together.
using System;
using System.Collections.Generic;
using System.Threading.Channels;
using System.Threading.Tasks;
using OpenFeature.Constant;
using OpenFeature.Model;

namespace Flagstone.OpenFeature;

internal sealed class Outbox(ChannelWriter<object> writer)
{
    private readonly LinkedList<ProviderEventPayload> _waiting = new();

    /// <summary>The flags of the last that waits.</summary>
    private readonly HashSet<string> _lastKeys = new(StringComparer.Ordinal);
    private bool _isSending;
    private bool _isClosed;

    internal void Add(ProviderEventPayload told)
    {
        lock (_waiting)
        {
            if (_isClosed)
            {
                return;
            }
            if (told.FlagsChanged is not null && _waiting.Last?.Value.FlagsChanged is List<string> before)
            {
                before.AddRange(told.FlagsChanged.FindAll(_lastKeys.Add));
            }
            else
            {
                _waiting.AddLast(told);
                _lastKeys.Clear();
                _lastKeys.UnionWith(told.FlagsChanged ?? []);
            }
            if (_isSending)
            {
                return;
            }
            _isSending = true;
        }
        _ = Task.Run(SendAsync);
    }

    /// <summary>Sends nothing any more, but for what is under way.</summary>
    internal void Close()
    {
        lock (_waiting)
        {
            _isClosed = true;
            _waiting.Clear();
            _lastKeys.Clear();
        }
    }

    private async Task SendAsync()
    {
        while (Next() is ProviderEventPayload told)
        {
            try
            {
                await writer.WriteAsync(told).ConfigureAwait(false);
            }
            catch (ChannelClosedException)
            {
                // Another provider is in our place: nobody listens.
            }
        }
    }

    private ProviderEventPayload? Next()
    {
        lock (_waiting)
        {
            ProviderEventPayload? next = _waiting.First?.Value;
            if (next is null)
            {
                _isSending = false;
            }
            else
            {
                _waiting.RemoveFirst();
            }
            return next;
        }
    }
}

/// <summary>An event of the provider's own, which the SDK's are told apart from.</summary>
internal sealed class Told : ProviderEventPayload
{
    internal Told(ProviderEventTypes type, string? message = null)
    {
        ProviderName = FlagstoneProvider.Name;
        Type = type;
        Message = message;
    }
}
