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
    private readonly Outbox _outbox = new(writer);
    private readonly object _lock = new();

    /// <summary>What the SDK is going to say when the initialization has ended.</summary>
    private ProviderEventTypes _expected;
    private DataSourceState? _told;
    private bool _isRegistering;
    private bool _isHeard;
    private bool _hasHeardSdk;
    private bool _isShut;

    /// <summary>The environment that a server named; null if none did.</summary>
    internal string? EnvironmentId { get; private set; }

    /// <summary>Listens to the client from now on.</summary>
    /// <param name="isReady">Whether the initialization succeeds: then the SDK says READY, else ERROR.</param>
    internal void Begin(bool isReady)
    {
        lock (_lock)
        {
            if (_isHeard || _isShut)
            {
                return;
            }
            _isHeard = true;
            _isRegistering = true;
            _expected = isReady ? ProviderEventTypes.ProviderReady : ProviderEventTypes.ProviderError;
            _told = isReady ? DataSourceState.Valid : null;
        }
        // The SDK calls handlers under its own lock, and this one at once if the provider of before is in that state: not under ours.
        Api.Instance.AddHandler(_expected, OnSdk);
        client.StatusChanged += OnStatus;
        client.FlagChanged += OnFlagChanged;
        LearnEnvironment();
        bool isShut;
        lock (_lock)
        {
            _isRegistering = false;
            isShut = _isShut;
        }
        if (isShut)
        {
            Leave();
        }
    }

    /// <summary>Tells nothing any more. May be called again.</summary>
    internal void End()
    {
        lock (_lock)
        {
            _isShut = true;
            _outbox.Close();
        }
        Leave();
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

    private void Leave()
    {
        client.StatusChanged -= OnStatus;
        client.FlagChanged -= OnFlagChanged;
        ForgetSdk();
    }

    /// <summary>Not by this thread: it may be within a handler, and the SDK goes through its list of them.</summary>
    private void ForgetSdk() => _ = Task.Run(() => Api.Instance.RemoveHandler(_expected, OnSdk));

    private void OnStatus(object? sender, StatusChangedEventArgs change)
    {
        LearnEnvironment();
        Tell(change);
    }

    private void OnFlagChanged(object? sender, FlagChangedEventArgs change) =>
        _outbox.Add(new Told(ProviderEventTypes.ProviderConfigurationChanged) { FlagsChanged = [change.Key] });

    /// <summary>Hears the one word that the SDK itself says of this provider, and puts it right.</summary>
    private void OnSdk(ProviderEventPayload? said)
    {
        lock (_lock)
        {
            // Of the provider of before, of one of another kind, or told by one of this kind.
            if (_isRegistering || _hasHeardSdk || said is null or Told || said.ProviderName != FlagstoneProvider.Name)
            {
                return;
            }
            _hasHeardSdk = true;
            DataSourceState state = client.State;
            _told = TypeOf(state) == said.Type ? state : null;
        }
        ForgetSdk();
        Tell();
    }

    /// <summary>Tells the present state, if it was not told yet.</summary>
    /// <param name="change">What has changed; null is nothing.</param>
    private void Tell(StatusChangedEventArgs? change = null)
    {
        lock (_lock)
        {
            // Here, and not the one that has changed, which may be over: two threads would tell in the wrong order.
            DataSourceState state = client.State;
            if (state == _told || _isShut || TypeOf(state) is not ProviderEventTypes type)
            {
                return;
            }
            _told = state;
            // Not fatal: a fatal provider is not asked any more, and this one has answers.
            _outbox.Add(new Told(type, change?.State == state ? change.Reason : Why())
            {
                ErrorType = type == ProviderEventTypes.ProviderError ? ErrorType.General : null,
            });
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
