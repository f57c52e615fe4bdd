// What the provider tells, in order, to a channel that may be full: nobody who tells waits. Flags that change while earlier news is
// under way are told together.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Channels;
using System.Threading.Tasks;
using OpenFeature.Constant;
using OpenFeature.Model;

namespace Flagstone.OpenFeature;

internal sealed class Outbox(ChannelWriter<object> writer)
{
    private readonly LinkedList<ProviderEventPayload> _waiting = new();
    private bool _isSending;

    internal void Add(ProviderEventPayload told)
    {
        lock (_waiting)
        {
            if (told.FlagsChanged is not null && _waiting.Last?.Value.FlagsChanged is List<string> before)
            {
                before.AddRange(told.FlagsChanged.Except(before).ToList());
            }
            else
            {
                _waiting.AddLast(told);
            }
            if (_isSending)
            {
                return;
            }
            _isSending = true;
        }
        _ = Task.Run(SendAsync);
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
