// What the provider tells of its client's condition. Released SDKs say READY when the initialization has ended, and ERROR when it has
// failed, and take that for the state of the provider whatever it has told before: so those are not told twice, and where the SDK has
// said another state than the true one, that is told again.
using System;
using System.Threading.Channels;
using System.Threading.Tasks;
using OpenFeature;
using OpenFeature.Constant;
using OpenFeature.Model;

namespace Flagstone.OpenFeature;

internal sealed class ProviderEvents(IFlagstoneClient client, ChannelWriter<object> writer)
{
    /// <summary>Released SDKs tell the state after the initialization themselves.</summary>
    private static bool SdkTellsInitialState => true;

    private readonly Outbox _outbox = new(writer);
    private readonly object _lock = new();
    private DataSourceState? _told;
    private bool _isHeard;
    private bool _isShut;

    /// <summary>The environment that a server named; null if none did.</summary>
    internal string? EnvironmentId { get; private set; }

    /// <summary>Listens to the client from now on.</summary>
    /// <param name="isReady">Whether the initialization succeeds: then the SDK says READY.</param>
    internal void Begin(bool isReady)
    {
        lock (_lock)
        {
            _told = isReady && SdkTellsInitialState ? DataSourceState.Valid : null;
            if (_isHeard || _isShut)
            {
                return;
            }
            _isHeard = true;
        }
        if (SdkTellsInitialState)
        {
            Api.Instance.AddHandler(ProviderEventTypes.ProviderReady, PutRight);
            Api.Instance.AddHandler(ProviderEventTypes.ProviderError, PutRight);
        }
        client.StatusChanged += OnStatus;
        client.FlagChanged += OnFlagChanged;
        LearnEnvironment();
        if (!SdkTellsInitialState)
        {
            Tell(client.State, Why());
        }
    }

    /// <summary>Tells nothing any more. May be called again.</summary>
    internal void End()
    {
        lock (_lock)
        {
            _isShut = true;
            if (!_isHeard)
            {
                return;
            }
            _isHeard = false;
        }
        client.StatusChanged -= OnStatus;
        client.FlagChanged -= OnFlagChanged;
        // Not by this thread: it may be within a handler, and the SDK goes through its list of them.
        _ = Task.Run(() =>
        {
            Api.Instance.RemoveHandler(ProviderEventTypes.ProviderReady, PutRight);
            Api.Instance.RemoveHandler(ProviderEventTypes.ProviderError, PutRight);
        });
    }

    /// <summary>Why there are no flags, for people.</summary>
    internal string Why()
    {
        try
        {
            FlagstoneStatus status = client.GetStatus();
            return status.LastError ?? $"the state is {status.State}";
        }
        catch (ObjectDisposedException)
        {
            return "the client is closed";
        }
    }

    private void OnStatus(object? sender, StatusChangedEventArgs change)
    {
        LearnEnvironment();
        // One that is over is followed by what is told of the present one.
        if (change.State == client.State)
        {
            Tell(change.State, change.Reason);
        }
    }

    private void OnFlagChanged(object? sender, FlagChangedEventArgs change) =>
        _outbox.Add(new Told(ProviderEventTypes.ProviderConfigurationChanged) { FlagsChanged = [change.Key] });

    private void PutRight(ProviderEventPayload? said)
    {
        // Of another provider, or of the SDK about this one.
        if (said is null or Told || said.ProviderName != FlagstoneProvider.Name)
        {
            return;
        }
        DataSourceState state = client.State;
        if (TypeOf(state) is ProviderEventTypes type && type != said.Type)
        {
            lock (_lock)
            {
                _told = null;
            }
            Tell(state, Why());
        }
    }

    private void Tell(DataSourceState state, string reason)
    {
        lock (_lock)
        {
            if (state == _told || _isShut || TypeOf(state) is not ProviderEventTypes type)
            {
                return;
            }
            _told = state;
            // Not fatal: a fatal provider is not asked any more, and this one has answers.
            _outbox.Add(new Told(type, reason) { ErrorType = type == ProviderEventTypes.ProviderError ? ErrorType.General : null });
        }
    }

    private void LearnEnvironment()
    {
        try
        {
            EnvironmentId ??= client.GetStatus().EnvironmentId;
        }
        catch (ObjectDisposedException)
        {
            // It stays unknown.
        }
    }

    private static ProviderEventTypes? TypeOf(DataSourceState state) => state switch
    {
        DataSourceState.Valid => ProviderEventTypes.ProviderReady,
        DataSourceState.Interrupted => ProviderEventTypes.ProviderStale,
        DataSourceState.Off => ProviderEventTypes.ProviderError,
        _ => null,
    };
}
