// What client-side SDKs get from a server: all flags for one context, and the hash that vouches for it.
using System;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>What <see cref="FlagstoneClient.AllFlagsState"/> tells about flags.</summary>
[Flags]
public enum AllFlagsOptions
{
    /// <summary>All flags, with versions and without reasons.</summary>
    None = 0,

    /// <summary>Only flags that client-side SDKs may see.</summary>
    ClientSideOnly = 1,

    /// <summary>The reason of each value.</summary>
    WithReasons = 2,

    /// <summary>Versions and reasons only for flags whose evaluations make full events, or debug events at present.</summary>
    DetailsOnlyForTracked = 4,
}

public sealed partial class FlagstoneClient
{
    /// <summary>
    /// Values of all flags for one context, for handing on to a browser. With <see cref="CacheResidency.Lazy"/> and
    /// <see cref="CacheResidency.Off"/> everything is read from Redis, which takes at most
    /// <see cref="FlagstoneOptions.RedisCommandTimeoutMs"/>; big segments that are not remembered are asked for. Makes no events.
    /// </summary>
    /// <param name="context">Who asks; without one the state is not valid.</param>
    /// <param name="options">What is told.</param>
    /// <returns>
    /// The state. It is not valid when there are no flags to be had: no context, a client that is not ready, or
    /// a Redis that had to be read and could not be.
    /// </returns>
    /// <exception cref="ArgumentException">An option is unknown.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public unsafe AllFlagsState AllFlagsState(Context? context, AllFlagsOptions options = AllFlagsOptions.None)
    {
        NativeBytes text = default;
        IntPtr error = IntPtr.Zero;
        IntPtr native = Context.Acquire(context);
        int status = NativeMethods.flagstone_all_flags_json(_native, native, (uint)options, &text, &error);
        Leave(context, native);
        NativeResult.Check(status, error, nameof(options));
        return new AllFlagsState(NativeResult.TakeBytes(ref text));
    }

    /// <summary>
    /// The hash by which a client-side SDK in secure mode shows that a server vouches for the context. Needs the option
    /// <see cref="FlagstoneOptions.SdkKey"/>; the client need not be started.
    /// </summary>
    /// <param name="context">The context; its kinds and keys alone count.</param>
    /// <returns>64 lower-case hexadecimal digits.</returns>
    /// <exception cref="ArgumentException">The option is not set.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public unsafe string SecureModeHash(Context context)
    {
        NativeBytes text = default;
        IntPtr error = IntPtr.Zero;
        IntPtr native = Context.Acquire(context ?? throw new ArgumentNullException(nameof(context)));
        int status = NativeMethods.flagstone_secure_mode_hash(_native, native, &text, &error);
        Leave(context, native);
        NativeResult.Check(status, error, null, OptionChecks.Translated);
        return NativeResult.Take(ref text);
    }
}
