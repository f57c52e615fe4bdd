// The table of functions by which the library asks a big-segment store of the host's own. The one place where native code enters
// managed code: on threads that called the library themselves, and nothing is thrown back.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Flagstone.Handles;

namespace Flagstone.Interop;

internal static unsafe class NativeBigSegments
{
#if !NET8_0_OR_GREATER
    // Kept: the library calls them as long as it likes.
    private static readonly MembershipCallback s_membership = Membership;
    private static readonly MetadataCallback s_metadata = Metadata;
    private static readonly DropCallback s_drop = Drop;

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int MembershipCallback(IntPtr data, byte* contextHash, nuint length, IntPtr membership);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int MetadataCallback(IntPtr data, long* lastUpToDateMs);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void DropCallback(IntPtr data);
#endif

    /// <summary>Makes the clients of a configuration ask a store, which the library keeps until the last of them is gone.</summary>
    internal static void Give(BigSegmentBridge bridge, ConfigHandle config)
    {
        GCHandle kept = GCHandle.Alloc(bridge);
        NativeBigSegmentStore table = NativeBigSegmentStore.New();
        table.user_data = GCHandle.ToIntPtr(kept);
#if NET8_0_OR_GREATER
        table.membership = (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, byte*, nuint, IntPtr, int>)&Membership;
        table.metadata = (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, long*, int>)&Metadata;
        table.drop = (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, void>)&Drop;
#else
        table.membership = Marshal.GetFunctionPointerForDelegate(s_membership);
        table.metadata = Marshal.GetFunctionPointerForDelegate(s_metadata);
        table.drop = Marshal.GetFunctionPointerForDelegate(s_drop);
#endif
        IntPtr error = IntPtr.Zero;
        int status = NativeMethods.flagstone_config_set_big_segment_store(config.DangerousGetHandle(), &table, &error);
        GC.KeepAlive(config);
        if (status != NativeCodes.StatusOk)
        {
            kept.Free();
        }
        NativeResult.Check(status, error, "options");
    }

#pragma warning disable CA1031 // nothing may be thrown into the library
#if NET8_0_OR_GREATER
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
#endif
    private static int Membership(IntPtr data, byte* contextHash, nuint length, IntPtr membership)
    {
        try
        {
            return Bridge(data).AnswerMembership(Utf8.ToString(contextHash, length), membership);
        }
        catch (Exception)
        {
            return NativeCodes.StatusStore;
        }
    }

#if NET8_0_OR_GREATER
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
#endif
    private static int Metadata(IntPtr data, long* lastUpToDateMs)
    {
        try
        {
            return Bridge(data).AnswerMetadata(out *lastUpToDateMs);
        }
        catch (Exception)
        {
            return NativeCodes.StatusStore;
        }
    }

#if NET8_0_OR_GREATER
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
#endif
    private static void Drop(IntPtr data)
    {
        try
        {
            GCHandle.FromIntPtr(data).Free();
        }
        catch (Exception)
        {
        }
    }
#pragma warning restore CA1031

    private static BigSegmentBridge Bridge(IntPtr data) => (BigSegmentBridge)GCHandle.FromIntPtr(data).Target!;
}
